import type { RoomExamination } from '@deed/ledger';

/** This room's part of fsck: pins follow from the entries; which tools are registered is configuration. */
export const gatewayExamination: RoomExamination = {
  tables: ['tool', 'pin', 'keyed_action', 'close_ask', 'model_key'],
  owns: () => false,
  begin(ground) {
    const latest = new Map<string, { readonly definition: string; readonly executable: string }>();
    return {
      statement({ statement }) {
        if (statement.predicate !== 'tool-pinned') return;
        const { server, tool, definition, executable } = statement.body;
        latest.set(`${server}/${tool}`, { definition, executable });
      },
      end() {
        const rows = ground.database.all<{ server: string; tool: string; definition: string; executable: string }>(
          'SELECT server, tool, definition, executable FROM pin',
        );
        for (const { server, tool, definition, executable } of rows) {
          const name = `${server}/${tool}`;
          const expected = latest.get(name);
          latest.delete(name);
          if (expected?.definition === definition && expected.executable === executable) continue;
          ground.add('state', `table pin, row ${name}`, 'is not the newest pin of the log');
        }
        for (const name of latest.keys()) ground.add('state', `table pin, row ${name}`, 'absent, and an entry says it');
      },
    };
  },
};
