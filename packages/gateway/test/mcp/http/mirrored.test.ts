import { utf8 } from '@deed/evidence';
import { describe, expect, test } from 'vitest';
import { mirroredParameters, mismatchOf, parameterMismatch } from '../../../src/mcp/http/mirrored.ts';
import { parseMessage } from '../../../src/mcp/message.ts';

const version = '2026-07-28';

function call(args: object, modern = true) {
  const _meta = { 'io.modelcontextprotocol/protocolVersion': version };
  const params = { name: 'pay', arguments: args, ...(modern ? { _meta } : {}) };
  return parseMessage(utf8(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })));
}

const right = { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': 'pay' };

describe('headers of the newer era', () => {
  test.each([
    ['say what the body says', {}, null],
    ['name another tool', { 'mcp-name': 'read' }, 'mcp-name'],
    ['name another method', { 'mcp-method': 'tools/list' }, 'mcp-method'],
    ['name another version', { 'mcp-protocol-version': '2027-01-01' }, 'mcp-protocol-version'],
    ['stand there twice', { 'mcp-name': ['pay', 'pay'] }, 'mcp-name'],
    ['are written in base64', { 'mcp-name': '=?base64?cGF5?=' }, null],
    ['are missing', { 'mcp-name': undefined }, 'mcp-name'],
  ] as const)('%s', (_what, over, wrong) => {
    const said = mismatchOf({ ...right, ...over } as never, call({}));
    if (wrong === null) expect(said).toBe(null);
    else expect(said).toContain(wrong);
  });

  test('are not asked for in the older one, and count where they stand', () => {
    expect(mismatchOf({}, call({}, false))).toBe(null);
    expect(mismatchOf({ 'mcp-name': 'read' }, call({}, false))).toContain('mcp-name');
  });
});

describe('parameters that a schema mirrors', () => {
  const mirrored = mirroredParameters({
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      to: { properties: { amount: { type: 'integer', 'x-mcp-header': 'Amount' } } },
      list: { items: { properties: { no: { 'x-mcp-header': 'Nowhere' } } } },
    },
  });

  test('are found by their path through properties alone', () => {
    expect([...mirrored]).toEqual([
      ['region', ['region']],
      ['amount', ['to', 'amount']],
    ]);
  });

  test.each([
    [{ region: 'eu' }, { 'mcp-param-region': 'eu' }, true],
    [{ region: 'eu' }, { 'mcp-param-region': 'us' }, false],
    [{ region: 'eu' }, {}, false],
    [{}, { 'mcp-param-region': 'eu' }, false],
    [{ region: null }, {}, true],
    [{ to: { amount: 42 } }, { 'mcp-param-amount': '42.0' }, true],
    [{ to: { amount: 42 } }, { 'mcp-param-amount': '' }, false],
    [{ region: 'Grüße' }, { 'mcp-param-region': `=?base64?${Buffer.from('Grüße').toString('base64')}?=` }, true],
  ])('%j with %j: %s', (args, headers, same) => {
    expect(parameterMismatch(headers, call(args), mirrored) === null).toBe(same);
  });
});
