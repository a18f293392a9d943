import type { Migration } from 'kysely/migration';
import { auditTrail } from './schema/audit.ts';
import { connections } from './schema/connections.ts';
import { serverCredentials } from './schema/credentials.ts';
import { embeddings } from './schema/embeddings.ts';
import { first } from './schema/first.ts';
import { serverHealth } from './schema/health.ts';
import { identity } from './schema/identity.ts';

/**
 * The history of the schema, oldest first; an entry that was released is never edited. Portable types only:
 * text, bigint (integer milliseconds and counts), double precision, and integer 0/1 for booleans.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  '001_first': { up: first },
  '002_audit': { up: auditTrail },
  '003_identity': { up: identity },
  '004_connections': { up: connections },
  '005_health': { up: serverHealth },
  '006_credentials': { up: serverCredentials },
  '007_embeddings': { up: embeddings },
};
