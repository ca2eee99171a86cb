import { readdirSync, readFileSync } from 'node:fs';
import { compileMapping, type Json, parseMapping, type SourceEvent } from '@deed/evidence';
import { describe, expect, it } from 'vitest';
import { shippedMapping, shippedMappings } from '../../src/mapped/shipped.ts';

const read = (name: string, record: Json) => compileMapping(parseMapping(shippedMapping(name)))(record);

/** One record of each system, made up, in the form that its documentation gives; and what it must come to. */
const records: Readonly<Record<string, readonly [record: Json, event: Partial<SourceEvent>]>> = {
  'aws-cloudtrail': [
    {
      ...{ eventVersion: '1.11', eventID: 'e-1', eventTime: '2026-11-22T12:00:00Z', eventSource: 's3.amazonaws.com' },
      ...{ eventName: 'DeleteBucket', awsRegion: 'eu-central-1', requestID: 'r-1', recipientAccountId: '111122223333' },
      userIdentity: {
        type: 'AssumedRole',
        arn: 'arn:aws:sts::111122223333:assumed-role/r/t',
        accessKeyId: 'ASIAEXAMPLE',
      },
      ...{
        requestParameters: { bucketName: 'b' },
        responseElements: null,
        sourceIPAddress: '192.0.2.1',
        userAgent: 'x',
      },
    },
    {
      ...{ id: 'e-1', activity: 'delete', operation: 's3.amazonaws.com:DeleteBucket', status: 'success' },
      credential: { kind: 'aws-access-key', uid: 'ASIAEXAMPLE' },
      correlation: { request: 'r-1' },
    },
  ],
  'github-audit': [
    {
      ...{ _document_id: 'd-1', '@timestamp': 1_795_348_800_000, action: 'repo.create', operation_type: 'create' },
      ...{ actor: 'mona', repo: 'example/site', org: 'example', hashed_token: 'aGFzaA==', request_id: 'r-1' },
    },
    {
      time: '2026-11-22T12:00:00.000Z',
      activity: 'create',
      credential: { kind: 'github-hashed-token', uid: 'aGFzaA==' },
    },
  ],
  'gitlab-audit': [
    {
      ...{ id: 'a-1', created_at: '2026-11-22T12:00:00.000Z', author_id: 7, entity_type: 'Project', entity_id: 9 },
      ...{ event_type: 'member_created', details: { add: 'user_access', entity_path: 'example/site' } },
    },
    { id: 'a-1', activity: 'create', operation: 'member_created', principal: { uid: '7', type: 'user' } },
  ],
  'stripe-events': [
    {
      ...{ id: 'evt_1', object: 'event', created: 1_795_348_800, type: 'charge.refunded', livemode: false },
      request: { id: 'req_1', idempotency_key: 'act_1' },
      data: { object: { id: 'ch_1', object: 'charge', amount: 4000, currency: 'eur' } },
    },
    {
      ...{ activity: 'update', correlation: { request: 'req_1', idempotency: 'act_1' }, credential: null },
      fields: { amount: 4000, currency: 'eur', livemode: false },
    },
  ],
  'postgres-pgaudit': [
    {
      ...{
        timestamp: '2026-11-22 12:00:00.000 UTC',
        user: 'crd_1',
        dbname: 'shop',
        pid: 7,
        session_id: 'a.1',
        line_num: 3,
      },
      ...{ txid: 731, error_severity: 'LOG', application_name: 'deed:task-1', remote_host: '192.0.2.1' },
      message: 'AUDIT: SESSION,1,1,WRITE,UPDATE,TABLE,public.orders,"update orders set note = \'a, ""b""\'",<none>,2',
    },
    {
      ...{ id: 'a.1:3', activity: 'update', operation: 'SQL UPDATE', status: 'success' },
      ...{ credential: { kind: 'postgres-role', uid: 'crd_1' }, correlation: { transaction: '731', task: 'task-1' } },
      resource: { type: 'table', uid: 'public.orders', parent: 'shop' },
      fields: { class: 'WRITE', sql: 'update orders set note = \'a, "b"\'', parameters: '<none>', rows: 2 },
    },
  ],
  'stripe-webhook': [
    {
      ...{ received: '2026-11-22T12:00:01.000Z', headers: {} },
      body: {
        ...{ id: 'evt_1', object: 'event', created: 1_795_348_800, type: 'charge.refunded', livemode: false },
        request: { id: 'req_1', idempotency_key: 'act_1' },
        data: { object: { id: 'ch_1', object: 'charge', amount: 4000, currency: 'eur' } },
      },
    },
    {
      ...{ id: 'evt_1', time: '2026-11-22T12:00:00.000Z', correlation: { request: 'req_1', idempotency: 'act_1' } },
      fields: { amount: 4000, currency: 'eur', livemode: false },
    },
  ],
  'github-webhook': [
    {
      received: '2026-11-22T12:00:00.000Z',
      headers: { 'x-github-delivery': 'd-1', 'x-github-event': 'push' },
      body: {
        ...{ ref: 'refs/heads/main', before: '1'.repeat(40), after: '2'.repeat(40), forced: false },
        ...{ repository: { full_name: 'example/site' }, sender: { login: 'mona', type: 'User' } },
        installation: { id: 7 },
      },
    },
    {
      ...{ id: 'd-1', operation: 'push', activity: 'update', credential: { kind: 'github-installation', uid: '7' } },
      resource: { type: 'git-ref', uid: 'example/site refs/heads/main', parent: 'example/site' },
      fields: { old: '1'.repeat(40), new: '2'.repeat(40), forced: false },
    },
  ],
  'gitlab-webhook': [
    {
      received: '2026-11-22T12:00:00.000Z',
      headers: { 'x-gitlab-event': 'Merge Request Hook', 'x-gitlab-event-uuid': 'u-1' },
      body: {
        ...{ object_kind: 'merge_request', user: { username: 'mona' } },
        project: { path_with_namespace: 'example/site' },
        object_attributes: { iid: 3, action: 'open', state: 'opened' },
      },
    },
    {
      ...{ id: 'u-1', operation: 'merge_request.open', activity: 'create' },
      resource: { type: 'project', uid: 'example/site', parent: 'example/site' },
      fields: { number: 3, state: 'opened' },
    },
  ],
  'kubernetes-audit': [
    {
      ...{ kind: 'Event', apiVersion: 'audit.k8s.io/v1', auditID: 'u-1', stage: 'ResponseComplete', verb: 'delete' },
      user: {
        username: 'system:serviceaccount:prod:agent',
        extra: { 'authentication.kubernetes.io/credential-id': ['JTI=j-1'] },
      },
      objectRef: { resource: 'pods', namespace: 'prod', name: 'web' },
      ...{
        responseStatus: { code: 403 },
        requestReceivedTimestamp: '2026-11-22T12:00:00.123456Z',
        sourceIPs: ['192.0.2.1'],
      },
    },
    {
      ...{ id: 'u-1:ResponseComplete', time: '2026-11-22T12:00:00.123Z', operation: 'delete pods', status: 'failure' },
      credential: { kind: 'kubernetes-token', uid: 'JTI=j-1' },
      resource: { type: 'pods', uid: 'prod/pods/web', parent: 'prod' },
    },
  ],
  'gcp-audit': [
    {
      ...{
        insertId: 'i-1',
        timestamp: '2026-11-22T12:00:00.000001Z',
        resource: { type: 'gcs_bucket', labels: { project_id: 'p' } },
      },
      protoPayload: {
        ...{ serviceName: 'storage.googleapis.com', methodName: 'storage.buckets.delete', resourceName: 'buckets/b' },
        authenticationInfo: { principalEmail: 'agent@p.iam.gserviceaccount.com', serviceAccountKeyName: 'keys/k-1' },
        requestMetadata: { callerIp: '192.0.2.1', requestAttributes: { reason: 'task-1' } },
      },
    },
    {
      activity: 'delete',
      status: 'success',
      credential: { kind: 'gcp-principal', uid: 'keys/k-1' },
      correlation: { task: 'task-1' },
    },
  ],
  'azure-activity': [
    {
      ...{ time: '2026-11-22T12:00:00.1234567Z', resourceId: '/subscriptions/s/r', category: 'Administrative' },
      ...{ operationName: 'MICROSOFT.STORAGE/STORAGEACCOUNTS/DELETE', resultType: 'Success', correlationId: 'c-1' },
      identity: { claims: { uti: 'token-1' } },
    },
    {
      activity: 'delete',
      status: 'success',
      credential: { kind: 'entra-token', uid: 'token-1' },
      correlation: { request: 'c-1' },
    },
  ],
  'okta-system': [
    {
      ...{ uuid: 'o-1', published: '2026-11-22T12:00:00.000Z', eventType: 'group.user_membership.add' },
      ...{
        outcome: { result: 'SUCCESS' },
        actor: { id: '00u1', type: 'User' },
        target: [{ id: '00u2', type: 'User' }],
      },
      transaction: { id: 't-1', detail: { requestApiTokenId: '00T1' } },
    },
    { activity: 'create', credential: { kind: 'okta-api-token', uid: '00T1' }, correlation: { request: 't-1' } },
  ],
  'slack-audit': [
    {
      ...{ id: 's-1', date_create: 1_795_348_800, action: 'private_channel_created' },
      ...{
        actor: { type: 'user', user: { id: 'U1' } },
        entity: { type: 'channel', channel: { id: 'C1', name: 'plans' } },
      },
      context: { location: { id: 'T1' }, ip_address: '192.0.2.1' },
    },
    {
      activity: 'create',
      principal: { uid: 'U1', type: 'user' },
      resource: { type: 'channel', uid: 'C1', parent: 'T1' },
    },
  ],
  'openai-audit': [
    {
      ...{ id: 'audit_log-1', object: 'organization.audit_log', type: 'api_key.created', effective_at: 1_795_348_800 },
      actor: { type: 'api_key', api_key: { id: 'key_1', type: 'service_account', service_account: { id: 'svc_1' } } },
      'api_key.created': { id: 'key_2' },
    },
    {
      activity: 'create',
      credential: { kind: 'openai-api-key', uid: 'key_1' },
      resource: { type: 'api_key', uid: 'key_2', parent: null },
    },
  ],
  'anthropic-activity': [
    {
      ...{ id: 'activity_1', created_at: '2026-11-22T12:00:00Z', type: 'api_key_created', organization_id: 'org_1' },
      actor: { type: 'api_actor', api_key_id: 'apikey_1', ip_address: '192.0.2.1' },
    },
    { activity: 'create', credential: { kind: 'anthropic-key', uid: 'apikey_1' } },
  ],
  'aws-bedrock-invocation': [
    {
      ...{
        schemaType: 'ModelInvocationLog',
        schemaVersion: '1.0',
        timestamp: '2026-11-22T12:00:00Z',
        requestId: 'r-1',
      },
      ...{
        operation: 'Converse',
        modelId: 'm',
        region: 'eu-central-1',
        identity: { arn: 'arn:aws:sts::111122223333:assumed-role/r/t' },
      },
      ...{ input: { inputTokenCount: 3, inputBodyJson: {} }, output: { outputTokenCount: 5, outputBodyJson: {} } },
    },
    { id: 'r-1', activity: 'read', operation: 'Converse', correlation: { request: 'r-1' } },
  ],
  ocsf: [
    {
      ...{ class_uid: 6003, activity_name: 'Delete', status_id: 1, time: 1_795_348_800_000, metadata: { uid: 'm-1' } },
      ...{
        api: { operation: 'DeleteThing', request: { uid: 'r-1' } },
        actor: { user: { uid: 'u', credential_uid: 'c-1' } },
      },
    },
    {
      class_uid: 6003,
      activity: 'delete',
      operation: 'DeleteThing',
      credential: { kind: 'ocsf-credential', uid: 'c-1' },
    },
  ],
  'vault-audit': [
    {
      ...{ type: 'response', time: '2026-11-22T12:00:00.5Z', auth: { accessor: 'acc-1', entity_id: 'ent-1' } },
      request: { id: 'r-1', operation: 'update', path: 'secret/data/x', headers: { 'x-deed-task': ['task-1'] } },
    },
    {
      ...{
        activity: 'update',
        operation: 'update secret/data/x',
        credential: { kind: 'vault-accessor', uid: 'acc-1' },
      },
      correlation: { request: 'r-1', task: 'task-1' },
    },
  ],
};

describe('the mappings that come with Deed', () => {
  it('have a record each here', () => {
    expect(Object.keys(records).sort()).toEqual(shippedMappings());
  });

  it.each(Object.entries(records))('%s', (name, [record, event]) => {
    expect(read(name, record)).toMatchObject(event);
    expect(parseMapping(shippedMapping(name))).toMatchObject({ name, version: '1' });
  });

  it('are asked for by name', () => {
    expect(() => shippedMapping('../package')).toThrow(/there is no mapping/);
  });
});

it('each has a page that says what it covers and what not', () => {
  const folder = new URL('../../../../docs/sources/', import.meta.url);
  const pages = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  for (const name of shippedMappings()) {
    const { coverage, notCovered } = parseMapping(shippedMapping(name));
    const said = [name, ...coverage, ...notCovered];
    expect(
      pages.some((page) => page.startsWith('# ') && said.every((each) => page.includes(each))),
      name,
    ).toBe(true);
  }
});
