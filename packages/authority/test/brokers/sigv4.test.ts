import { expect, test } from 'vitest';
import { signedHeaders } from '../../src/brokers/sigv4.ts';

/** The worked example of the AWS General Reference ("Examples of the complete Signature Version 4 signing process"). */
test('the worked example of the AWS documentation has the signature that stands there', () => {
  const { authorization } = signedHeaders({
    method: 'GET',
    url: new URL('https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08'),
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', host: 'iam.amazonaws.com' },
    body: '',
    region: 'us-east-1',
    service: 'iam',
    key: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    now: Date.UTC(2015, 7, 30, 12, 36, 0),
  });
  expect(authorization).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  );
});
