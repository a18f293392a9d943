import type { Migration } from 'kysely/migration';
import { appNames } from './app-names.ts';
import { approvals } from './approval-tables.ts';
import { auditTrail } from './audit-tables.ts';
import { calls, callsOfUsers, maskedArguments } from './call-tables.ts';
import { machineClients } from './client-keys.ts';
import { connections } from './connection-tables.ts';
import { serverCredentials } from './credential-tables.ts';
import { declarations } from './declaration-tables.ts';
import { declaredProviders } from './declared-provider-tables.ts';
import { embeddings } from './embedding-tables.ts';
import { first } from './first-tables.ts';
import { serverHealth } from './health-tables.ts';
import { idempotency } from './idempotency-tables.ts';
import { identity } from './identity-tables.ts';
import { leanInvocations } from './invocation-tables.ts';
import { keyAddresses } from './key-addresses.ts';
import { policy } from './policy-tables.ts';
import { userCredentials } from './server-inputs.ts';
import { serverOAuth } from './server-oauth.ts';
import { sessionAccounts } from './session-accounts.ts';
import { sharedFiles } from './shared-file-tables.ts';
import { signIn } from './sign-in-tables.ts';
import { toolDetails } from './tool-details.ts';
import { webhooks } from './webhook-tables.ts';
import { longWork, longWorkReason } from './work-tables.ts';

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
  '008_webhooks': { up: webhooks },
  '009_key_addresses': { up: keyAddresses },
  '010_server_oauth': { up: serverOAuth },
  '011_lean_invocations': { up: leanInvocations },
  '012_idempotency': { up: idempotency },
  '013_policy': { up: policy },
  '014_tool_details': { up: toolDetails },
  '015_calls': { up: calls },
  '016_declarations': { up: declarations },
  '017_approvals': { up: approvals },
  '018_declared_providers': { up: declaredProviders },
  '019_calls_of_users': { up: callsOfUsers },
  '020_masked_arguments': { up: maskedArguments },
  '021_sign_in': { up: signIn },
  '022_app_names': { up: appNames },
  '023_user_credentials': { up: userCredentials },
  '024_machine_clients': { up: machineClients },
  '025_session_accounts': { up: sessionAccounts },
  '026_shared_files': { up: sharedFiles },
  '027_long_work': { up: longWork },
  '028_long_work_reason': { up: longWorkReason },
};
