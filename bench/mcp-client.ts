/** As much of an MCP client as a measurement needs. */

/** The request of JSON-RPC that is asked over and over goes with these, too. */
export const accepts = { accept: 'application/json, text/event-stream' };

/** A handshake; the header of the session that it began, if it did. */
export async function openSession(
  url: string,
  headers: Readonly<Record<string, string>> = accepts,
): Promise<Readonly<Record<string, string>>> {
  const hello = await post(url, headers, {
    ...{ jsonrpc: '2.0', id: 'hello', method: 'initialize' },
    params: {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'bench', version: '1' },
    },
  });
  await hello.text();
  const id = hello.headers.get('mcp-session-id');
  const session = id === null ? {} : { 'mcp-session-id': id };
  const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
  await (await post(url, { ...headers, ...session }, initialized)).text();
  return session;
}

/** Throws with what was answered where that is no success. */
export async function post(...request: Parameters<typeof send>): Promise<Response> {
  const reply = await send(...request);
  if (!reply.ok) throw new Error(`${request[0]}: ${reply.status} ${(await reply.text()).slice(0, 300)}`);
  return reply;
}

export function send(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string | object,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}
