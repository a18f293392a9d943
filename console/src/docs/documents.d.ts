/** The URL of the documents (console/documents/documents-plugin.ts). */
declare module 'virtual:documents' {
  const url: string;
  // biome-ignore lint/style/noDefaultExport: what a virtual module gives
  export default url;
}
