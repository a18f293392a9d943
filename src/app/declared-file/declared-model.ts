import type { DeclaredKey } from '../../access/access.ts';
import type { ServerInput } from '../../catalog/catalog.ts';
import type { DeclaredProvider } from '../../connections/connections.ts';
import type { Bindings, Policy, ServerRights } from '../../policy/policy.ts';
import type { FieldPath } from './declared-file.ts';

/** What a file says of one thing, and where it says so. Nothing of what null stands for is touched. */
export type DeclaredServer = {
  readonly path: FieldPath;
  readonly id: string;
  readonly input: ServerInput | null;
  readonly rights: ServerRights | null;
};
export type ToolsetInput = Parameters<Policy['admin']['putToolset']>[1];
export type DeclaredToolset = {
  readonly path: FieldPath;
  readonly name: string;
  readonly input: ToolsetInput;
  /** Keys by their ids or digests. */
  readonly bindings: Bindings | null;
};
export type ProviderEntry = DeclaredProvider & { readonly path: FieldPath };
export type KeyEntry = { readonly path: FieldPath; readonly key: DeclaredKey };

/** All that a file says. null: it has no such section, and nothing of the kind is looked at. */
export type Declared = {
  readonly developers: readonly string[];
  readonly servers: readonly DeclaredServer[] | null;
  readonly toolsets: readonly DeclaredToolset[] | null;
  readonly keys: readonly KeyEntry[] | null;
  readonly providers: readonly ProviderEntry[] | null;
  /** What was kept with a change. */
  readonly notes: readonly string[];
};

export type FieldChange = { readonly field: string; readonly from?: unknown; readonly to?: unknown };
/** One difference between the file and the service. */
export type Change = {
  readonly action: 'add' | 'change' | 'remove';
  readonly kind: 'developer' | 'server' | 'toolset' | 'key' | 'provider';
  readonly name: string;
  readonly fields: readonly FieldChange[];
};
