/** How a server is reached, and what it wants to be shown, in people's words. */
export const transports = [
  ['streamable-http', 'Streamable HTTP'],
  ['sse', 'HTTP+SSE'],
] as const;
export const credentialKinds = [
  ['', 'None'],
  ['api_key', 'API key'],
  ['bearer', 'Bearer token'],
  ['oauth2', 'OAuth of the user'],
] as const;
