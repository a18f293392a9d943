/** A resource in an answer, as far as it is one. */
export type Resource = {
  readonly uri: string;
  readonly mimeType: string;
  readonly text?: string;
  /** Base64. */
  readonly blob?: string;
};

/** What a server sends as one: nothing of it need be what it has to be. */
export function resourceOf(sent: unknown): Resource {
  const { uri, mimeType, text, blob } = (sent ?? {}) as Readonly<Record<string, unknown>>;
  return {
    uri: typeof uri === 'string' ? uri : 'Resource',
    mimeType: typeof mimeType === 'string' ? mimeType : '',
    ...(typeof text === 'string' && { text }),
    ...(typeof blob === 'string' && { blob }),
  };
}

/** What a server answers to `resources/read`. */
export function contentsOf(result: unknown): readonly Resource[] {
  const { contents } = (result ?? {}) as { readonly contents?: unknown };
  return Array.isArray(contents) ? contents.map(resourceOf) : [];
}
