export type { PublishedCheckpoint } from './checkpoints.ts';
export { type Entry, leafHashOf, leafOf, readEntries, readEntry, readSeries } from './entry.ts';
export * from './errors.ts';
export { DerivedTable, type TableForm } from './fsck/derived-table.ts';
export type { Problem } from './fsck/examined.ts';
export { type FsckReport, fsck, fsckOnAllCores, ledgerTables } from './fsck/fsck.ts';
export type { LoggedStatement, RoomExamination, RoomGround } from './fsck/room.ts';
export { layOutLog } from './lay-out-log.ts';
export { type Ledger, type LedgerOptions, openLedger, type SeriesHead } from './ledger.ts';
export { type LogFolderReport, verifyLogFolder } from './log-folder/verify.ts';
export * from './log-http.ts';
export { type KnownLogKey, readLogKeySpans, replaceLogKey } from './log-key-spans.ts';
export * from './log-keys.ts';
export type { Draft, Recorded } from './record-door.ts';
export { ledgerMigrations } from './schema.ts';
export type { Place } from './series-heads.ts';
export * from './signer.ts';
export { TileFolder } from './tile-folder.ts';
export { parseTilePath, type TileName, tilePath, tileWidth } from './tile-path.ts';
export type { StoredStamp } from './time/stamps.ts';
export { type TimestampPlan, type TimestampStatus, Timestamps } from './time/timestamps.ts';
export type { WitnessEndpoint, WitnessHealth } from './witness/client.ts';
export { startWitness, type Witness, type WitnessOptions } from './witness/server.ts';
export {
  initWitness,
  trustLog,
  type WitnessedLog,
  type WitnessKeyKind,
  witnessAddress,
  witnessedLogs,
} from './witness/state.ts';
