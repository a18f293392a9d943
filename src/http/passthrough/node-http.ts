/**
 * Node's HTTP server. Imported by name, `node:http` reads each of its exports at once, and three of them load the HTTP client
 * that Node has inside: 14 MB and 30 ms of every start, for a client that nobody here uses (Node 24,
 * findings/node-http-import-loads-a-client.sh).
 */
export const nodeHttp = process.getBuiltinModule('node:http');
