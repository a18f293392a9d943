import type { CatalogServer } from '../../catalog/catalog.ts';
import type { StoredDocuments } from '../index/stored-fields.ts';

/** What is compared of a text: its words and what they are about. */
export type ReadText = { readonly stems: ReadonlySet<string>; readonly vector: Float32Array };
export type OwnServer = {
  readonly server: CatalogServer;
  readonly documents: StoredDocuments;
  /** Of its tools, in their order. */
  readonly tools: readonly ReadText[];
};
/** The servers that list more for a user than the catalogue has, with all that they list. */
export type OwnTools = { readonly servers: readonly OwnServer[]; readonly bytes: number };
