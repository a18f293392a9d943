/** A document of docs/ as the build leaves it (console/documents): HTML of our own, and code that can be copied. */
export type DocumentPart = { readonly html: string } | { readonly code: string; readonly language: string };

export type Section = {
  readonly heading: string;
  readonly anchor: string;
  readonly text: string;
  /** What stands between fences: found, but no excerpt. */
  readonly code: string;
};

export type Document = {
  readonly name: string;
  readonly title: string;
  readonly parts: readonly DocumentPart[];
  readonly sections: readonly Section[];
};
