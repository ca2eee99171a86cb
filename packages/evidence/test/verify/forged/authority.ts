import { utf8 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { actors } from '../../support/actors.ts';
import { acted, executed, observedAs } from '../../support/api.ts';
import { all, type BentCases, inCall, put, set } from '../../support/bends.ts';
import { told } from '../../support/hooks.ts';
import { implicit } from '../../support/implicit.ts';
import { digestOf, start } from '../../support/props.ts';
import { type Story, wide } from '../../support/story.ts';

export const authority: BentCases = {
  'what a hook told in a session without an agent, and nothing that shows it': {
    bend: all(implicit(), told()),
    check: 'authority',
    says: /nothing shows what the hook told/,
  },
  'what a hook told in a session without an agent, of another call': {
    bend: all(implicit(), told(), {
      draft(draft, story) {
        if (draft.step !== 'write:intent') return;
        const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'write_file', arguments: {} } };
        const evidence = story.log.payload(JSON.stringify(message), 'application/vnd.deed.message+json');
        put(draft.body, 'authority.evidence', evidence);
      },
    }),
    check: 'authority',
    says: /the message is of another call: with other arguments/,
  },
  'leave to act by the request to execute': {
    bend: acted({}, { request: 'execute' }),
    check: 'authority',
    says: /the agent signed a request to execute/,
  },
  'a call by the gateway by the request for leave to act': {
    bend: executed({ request: 'act' }),
    check: 'authority',
    says: /the agent signed a request to act/,
  },
  'a request of the HTTP API for another tool': {
    bend: executed({ tool: 'delete_file' }),
    check: 'authority',
    says: /another call: of another tool/,
  },
  'a request of the HTTP API for another server': {
    bend: executed({ server: 'other' }),
    check: 'authority',
    says: /another call: of another server/,
  },
  'a request of the HTTP API with other arguments': {
    bend: executed({ arguments: { path: 'docs/index.md' } }),
    check: 'authority',
    says: /another call: with other arguments/,
  },
  'a call that the gateway is said to have made, by a message of MCP': {
    bend: observedAs('gateway-executed'),
    check: 'authority',
    says: /no request of the HTTP API/,
  },
  'a token of another task': {
    bend: inCall('write', (call) => {
      call.token.task = newId('task', start);
    }),
    check: 'authority',
    says: /token is for another task/,
  },
  'a token that this deployment did not issue': {
    bend: inCall('write', (call) => {
      call.tokenSigner = actors.stranger;
    }),
    check: 'authority',
    says: /not from this deployment/,
  },
  'a token signed by the receipt key': {
    bend: inCall('write', (call) => {
      call.tokenSigner = actors.receipt;
    }),
    check: 'authority',
    says: /not from this deployment/,
  },
  'a token bound to another key': {
    bend: inCall('write', (call) => {
      call.token.cnf = { jkt: 'other' };
    }),
    check: 'authority',
    says: /bound to another key/,
  },
  'a token for another audience': {
    bend: inCall('write', (call) => {
      call.token.aud = 'example.org/log';
    }),
    check: 'authority',
    says: /another audience/,
  },
  'a token by another issuer': {
    bend: inCall('write', (call) => {
      call.token.iss = 'example.org/log';
    }),
    check: 'authority',
    says: /another issuer/,
  },
  'a proof by another key than the agent’s': {
    bend: inCall('write', (call) => {
      call.proofSigner = actors.stranger;
    }),
    check: 'authority',
    says: /not by the agent's key/,
  },
  'a proof for another token': {
    bend: inCall('write', (call) => {
      call.proof.ath = 'A'.repeat(43);
    }),
    check: 'authority',
    says: /for another token/,
  },
  'a proof for another message': {
    bend: inCall('write', (call) => {
      call.proof.deed_bdh = 'A'.repeat(43);
    }),
    check: 'authority',
    says: /for another message/,
  },
  'a message with other arguments': {
    bend: inCall('write', (call) => {
      call.message = call.message.replace('mended', 'broken');
    }),
    check: 'authority',
    says: /signed another call/,
  },
  'a message with another method': {
    bend: inCall('write', (call) => {
      call.message = call.message.replace('tools/call', 'tools/list');
    }),
    check: 'authority',
    says: /signed another call/,
  },
  'a proof that serves two actions': {
    bend: inCall('push', (call, story) => {
      const object = story.log.files.get(`payloads/${story.evidence.get('write')?.sha256}`) ?? utf8('');
      const { proof } = JSON.parse(new TextDecoder().decode(object.subarray(16)));
      call.proof.jti = JSON.parse(Buffer.from(proof.split('.')[1], 'base64url').toString()).jti;
    }),
    check: 'authority',
    says: /its proof served/,
  },
  'no proof although the task has an agent': {
    bend: set('write:intent', 'authority', (story: Story) => ({
      pop: 'none',
      evidence: null,
      chain: [],
      grant: story.digest('grant'),
      unearned: false,
    })),
    check: 'authority',
    says: /no proof of possession/,
  },
  'another agent than was enrolled': {
    bend: set('opened', 'agent.definition', digestOf('another configuration')),
    check: 'authority',
    says: /another agent than was enrolled/,
  },
  'an intent outside of what its task allows': {
    bend: { allow: [{ ...wide, tools: ['read_file', 'write_file'] }] },
    check: 'authority',
    says: /not among the allowed actions of its task/,
  },
  'an intent with an argument that its task does not allow': {
    bend: {
      allow: [
        { ...wide, tools: ['write_file'], arguments: { path: { exact: 'other.md' } }, otherArguments: 'allowed' },
        { ...wide, tools: ['read_file', 'git_push'] },
      ],
    },
    check: 'authority',
    says: /not among the allowed actions of its task/,
  },
  'more intents than its task allows of a kind': {
    bend: { allow: [{ ...wide, maxCount: 1 }] },
    check: 'authority',
    says: /not among the allowed actions of its task/,
  },
  'an approve action whose proof has no nonce of the server': {
    bend: inCall('push', ({ proof }) => {
      delete proof.nonce;
    }),
    check: 'authority',
    says: /a proof with a nonce of the server/,
  },
  'a token that allows more than its task': {
    bend: inCall('write', ({ token }) => {
      token.authorization_details = [
        { type: 'deed-actions', server: 'files' },
        { type: 'deed-actions', server: 'git' },
      ];
    }),
    check: 'authority',
    says: /the token allows more than its task/,
  },
  'a token that does not allow the action': {
    bend: inCall('write', ({ token }) => {
      token.authorization_details = [{ type: 'deed-actions', ...wide, tools: ['read_file'] }];
    }),
    check: 'authority',
    says: /the token does not allow the action/,
  },
  'an intent above the ceiling of an earned grant': {
    bend: all(set('grant', 'verdict', 'GRANTED'), set('push:intent', 'authority.unearned', false)),
    check: 'authority',
    says: /above the ceiling of its grant/,
  },
  'earned authority claimed under a waiver': {
    bend: set('push:intent', 'authority.unearned', false),
    check: 'authority',
    says: /label "authority not earned" is wrong/,
  },
  'a grant that had expired': {
    bend: set('grant', 'expires', '2026-11-22T10:00:01.000Z'),
    check: 'authority',
    says: /grant had expired/,
  },
  'a grant that was denied': {
    bend: set('grant', 'verdict', 'DENIED'),
    check: 'authority',
    says: /grant was DENIED/,
  },
  'an intent against a decision that denied it': {
    bend: set('write:intent', 'decision.outcome', 'deny'),
    check: 'authority',
    says: /did not allow it/,
  },
  'an intent although policy failed': {
    bend: set('write:intent', 'decision.errors', ['policy0 failed']),
    check: 'authority',
    says: /did not allow it/,
  },
  'a decision by another engine': {
    bend: set('write:intent', 'decision.engine.sha256', digestOf('another engine')),
    check: 'authority',
    says: /another engine/,
  },
};
