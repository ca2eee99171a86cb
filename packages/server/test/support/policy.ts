import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPolicyFolder } from '@deed/authority';

/** A copy of the default policy which has a person approve each call of a tool of such a name. */
export function approvingPolicy(tools = 'approve_*'): string {
  return policyWith('approve', tools);
}

/** A copy of the default policy which puts each call at tier attest. */
export function attestingPolicy(): string {
  return policyWith('attest', '*');
}

function policyWith(tier: string, tools: string): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'deed-policy-')), 'bundle');
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  const rule = `@id("test-${tier}")
@tier("${tier}")
permit (principal, action == Deed::Action::"call", resource) when { resource.name like "${tools}" };
`;
  writeFileSync(join(folder, 'test.cedar'), rule);
  return folder;
}
