/** What a proxy has to know of a provider's API; a part of the provider's row. */
export type ProviderApi = {
  readonly name: string;
  /** For paths that no prefix fits; null: there is nothing there. */
  readonly defaultOrigin: string | null;
  /** A prefix that begins with `~` names a service: it is taken off the path, other prefixes stay. */
  readonly routes: readonly { readonly prefix: string; readonly origin: string }[];
  /** Folders of uploads beside an API's own path: what lies in them goes where the path behind them goes. */
  readonly uploadFolders: readonly string[];
  /** By prefix, scopes of which a call needs one: only families, as far as they are known; `*` ends a beginning. */
  readonly scopesByPrefix: Readonly<Record<string, readonly string[]>>;
  /** Header fields that bill, impersonate or address somebody else: by their beginning, but for what `allowed` fits. */
  readonly refusedHeaders: { readonly prefixes: readonly string[]; readonly allowed: RegExp };
  /** Query parameters likewise, beside those that no provider is sent. */
  readonly refusedParameters: readonly string[];
};

export type ApiRules = Pick<ProviderApi, 'uploadFolders' | 'refusedHeaders' | 'refusedParameters'>;

/**
 * What Google takes from the query in place of what we send: whose project is billed (threats A10), and header fields and
 * the method. Elsewhere `key` is a parameter like any other.
 */
export const googleParameters: readonly string[] = ['key', 'userproject', 'httpheaders', 'httpmethod'];

/** Google's, and of every row that does not say otherwise: an operator's own row may lead to Google's APIs too. */
export const googleApiRules: ApiRules = {
  // `upload/drive/v3` goes where `drive/v3` goes.
  uploadFolders: ['upload/', 'resumable/upload/'],
  // Of Google's own fields only those that neither bill nor impersonate (threats B6).
  refusedHeaders: {
    prefixes: ['x-goog-'],
    allowed:
      /^x-goog-(api-client|fieldmask|request-params|request-reason|hash|meta-[a-z0-9-]+|upload-[a-z-]+)$/,
  },
  refusedParameters: [],
};

/** Without the rest of the row: secrets stay behind. */
export function toProviderApi(row: ProviderApi): ProviderApi {
  const { name, defaultOrigin, routes, uploadFolders, scopesByPrefix, refusedHeaders, refusedParameters } =
    row;
  return { name, defaultOrigin, routes, uploadFolders, scopesByPrefix, refusedHeaders, refusedParameters };
}
