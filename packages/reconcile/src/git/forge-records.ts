import { DeedError, type Json, parseStrictJson } from '@deed/evidence';

/** A request as the forge's front noted it, once it had completely ended. */
export interface AccessRecord {
  readonly time: string;
  /** Start of the oldest request that was still under way, or null. */
  readonly open: string | null;
  readonly requestId: string;
  readonly repository: string | null;
  readonly claimed: string | null;
  readonly user: string | null;
  readonly reason: string | null;
  readonly status: number;
}

/** One updated ref as the forge's post-receive hook noted it. */
export interface PushRecord {
  readonly time: string;
  readonly requestId: string | null;
  readonly user: string | null;
  readonly repository: string;
  readonly ref: string;
  readonly old: string;
  readonly new: string;
}

type Fields = { readonly [key: string]: Json };

/** @returns the record, or why the line is none */
export function parseAccess(raw: Uint8Array): AccessRecord | string {
  return parse(raw, (fields) => ({
    time: time(fields, 'time'),
    open: fields.open === null ? null : time(fields, 'open'),
    requestId: text(fields, 'requestId'),
    repository: textOrNull(fields, 'repository'),
    claimed: textOrNull(fields, 'claimed'),
    user: textOrNull(fields, 'user'),
    reason: textOrNull(fields, 'reason'),
    status: number(fields, 'status'),
  }));
}

/** @returns the record, or why the line is none */
export function parsePush(raw: Uint8Array): PushRecord | string {
  return parse(raw, (fields) => ({
    time: time(fields, 'time'),
    requestId: textOrNull(fields, 'requestId'),
    user: textOrNull(fields, 'user'),
    repository: text(fields, 'repository'),
    ref: text(fields, 'ref'),
    old: objectId(fields, 'old'),
    new: objectId(fields, 'new'),
  }));
}

function parse<T>(raw: Uint8Array, read: (fields: Fields) => T): T | string {
  try {
    const { value } = parseStrictJson(raw, { maxDepth: 4 });
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a JSON object';
    return read(value as Fields);
  } catch (cause) {
    if (cause instanceof DeedError || cause instanceof FieldError) return cause.message;
    throw cause;
  }
}

/** Never leaves this file: it becomes the text of a problem. */
class FieldError extends Error {}

function text(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value !== 'string') throw new FieldError(`${key} is not text`);
  return value;
}

function textOrNull(fields: Fields, key: string): string | null {
  return fields[key] === null ? null : text(fields, key);
}

function number(fields: Fields, key: string): number {
  const value = fields[key];
  if (typeof value !== 'number') throw new FieldError(`${key} is not a number`);
  return value;
}

/** Normalised to milliseconds, so that times compare as text. */
function time(fields: Fields, key: string): string {
  const value = text(fields, key);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) || Number.isNaN(Date.parse(value))) {
    throw new FieldError(`${key} is not a UTC time`);
  }
  return new Date(value).toISOString();
}

function objectId(fields: Fields, key: string): string {
  const value = text(fields, key);
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(value)) throw new FieldError(`${key} is not an object id`);
  return value;
}
