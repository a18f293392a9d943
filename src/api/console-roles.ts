import type { Role } from '../access/access.ts';
import type { Route } from '../http/route.ts';

/**
 * The least role that somebody needs for each operation when they are signed in to the console without a key. Who has a key is held to
 * its scopes. A route that is not named here is nobody's: a test holds that all of them are.
 */
export const leastRoles: Readonly<Record<string, Role>> = {
  'POST /v1/search': 'viewer',
  'GET /v1/servers': 'viewer',
  'GET /v1/catalogue': 'viewer',
  'GET /v1/servers/:id': 'viewer',
  'GET /v1/servers/:id/health': 'viewer',
  'GET /v1/mcp/server': 'viewer',
  'GET /v1/admin/toolsets': 'viewer',
  'GET /v1/admin/toolsets/:name': 'viewer',

  // Calls are their own: with their own connections, and in the record under their name.
  'POST /v1/mcp/call': 'developer',
  'POST /v1/mcp/tools/list': 'developer',
  'POST /v1/mcp/tools/call': 'developer',
  'POST /v1/invocations': 'developer',
  'GET /v1/identity/issuers': 'developer',
  'GET /v1/identity/webhook': 'developer',
  'PUT /v1/identity/webhook': 'developer',
  'DELETE /v1/identity/webhook': 'developer',
  'GET /v1/admin/servers/:id/rights': 'developer',
  'GET /v1/admin/servers/:id/confirmed': 'developer',
  'GET /v1/admin/toolsets/:name/bindings': 'developer',

  'GET /v1/admin/activity': 'operator',
  'GET /v1/admin/activity/live': 'operator',
  'GET /v1/admin/calls': 'operator',
  'GET /v1/admin/audit': 'operator',
  'GET /v1/admin/work': 'operator',
  'GET /v1/admin/users': 'operator',
  'POST /v1/admin/users/revoke': 'operator',
  'GET /v1/admin/connections': 'operator',
  'GET /v1/admin/providers': 'operator',
  'DELETE /v1/admin/connections/:id': 'operator',
  'GET /v1/admin/approvals': 'operator',
  'POST /v1/admin/approvals/:id': 'operator',
  'GET /v1/admin/servers': 'operator',
  'POST /v1/admin/servers': 'operator',
  'GET /v1/admin/servers/:id': 'operator',
  'PATCH /v1/admin/servers/:id': 'operator',
  'POST /v1/admin/servers/:id/probe': 'operator',
  'POST /v1/admin/probe': 'operator',
  'DELETE /v1/admin/servers/:id': 'operator',
  'PUT /v1/admin/servers/:id/confirmed': 'operator',
  'GET /v1/admin/toolsets/:name/preview': 'operator',
  'GET /v1/admin/apps/:id': 'operator',
  'GET /v1/admin/oauth-clients': 'operator',

  // What decides what others may, and what acts for somebody else.
  'GET /v1/admin/keys': 'admin',
  'POST /v1/admin/keys': 'admin',
  'DELETE /v1/admin/keys/:id': 'admin',
  'GET /v1/admin/keys/:id/usage': 'admin',
  'GET /v1/admin/machine-clients': 'admin',
  'POST /v1/admin/machine-clients': 'admin',
  'DELETE /v1/admin/machine-clients/:id': 'admin',
  'PUT /v1/admin/servers/:id/rights': 'admin',
  'PUT /v1/admin/toolsets/:name': 'admin',
  'DELETE /v1/admin/toolsets/:name': 'admin',
  'PUT /v1/admin/toolsets/:name/bindings': 'admin',
  'DELETE /v1/admin/toolsets/:name/bindings': 'admin',
  'POST /v1/admin/connections': 'admin',
  'PUT /v1/admin/apps/:id': 'admin',
  'POST /v1/admin/oauth-clients': 'admin',
  'DELETE /v1/admin/oauth-clients/:id': 'admin',
  'POST /v1/identity/issuers': 'admin',
  'DELETE /v1/identity/issuers/:id': 'admin',
  'DELETE /v1/admin/calls': 'admin',
  'GET /v1/admin/settings': 'admin',
  'POST /v1/identity/token': 'admin',
  'POST /v1/identity/refresh': 'admin',
  'POST /v1/identity/revoke': 'admin',
  'POST /v1/identity/introspect': 'admin',
  'DELETE /v1/identity/users/:user_id': 'admin',
  'POST /v1/identity/credentials': 'admin',
  'GET /v1/identity/connections': 'admin',
  'DELETE /v1/identity/connections/:id': 'admin',
  'POST /v1/identity/sessions': 'admin',
  'GET /v1/identity/sessions/:id': 'admin',
  'POST /v1/identity/sessions/:id/confirm': 'admin',
  'GET /v1/proxy/:provider/info': 'admin',
  'GET /v1/proxy/:provider/*': 'admin',
  'POST /v1/proxy/:provider/*': 'admin',
  'PUT /v1/proxy/:provider/*': 'admin',
  'PATCH /v1/proxy/:provider/*': 'admin',
  'DELETE /v1/proxy/:provider/*': 'admin',
};

export function withLeastRole(route: Route): Route {
  const role = leastRoles[`${route.method} ${route.url}`];
  return role === undefined ? route : { ...route, role };
}
