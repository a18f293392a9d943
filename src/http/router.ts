import createRouter, { type HTTPVersion, type Instance } from 'find-my-way';
import { Problem } from '../base/problem.ts';
import { preflightReply } from './connection/cross-origin.ts';
import type { ConsoleFiles } from './console/static-files.ts';
import type { LifecycleStep } from './lifecycle.ts';
import { originHeader } from './passthrough/passthrough.ts';
import { pathOf } from './request-checks.ts';
import type { RequestContext } from './request-context.ts';
import { isPassthrough, pathPattern, type Reply, type Route } from './route.ts';

/** The step that finds the route of a request, its parameters and its query. Throws `not_found`, `method_not_allowed` and `invalid_request`. */
export function createRouting(routes: readonly Route[], files: ConsoleFiles | undefined): LifecycleStep {
  const router = routerFor(routes);
  return (context) => {
    const { method, target } = context;
    const found = router.find(method as 'GET', target);
    if (found === null) {
      const stands = preflightAt(routes, context) ?? pageAt(files, context);
      if (stands === null) throw notRouted(routes, context);
      context.route = stands;
      return;
    }
    // find-my-way answers a path that cannot be decoded with a handler that has no store: it throws the 400.
    if (found.store === null) found.handler(context.request, context.reply, {}, null, {});
    context.route = found.store as Route;
    if (isPassthrough(context.route)) context.setHeader(originHeader, 'gateway');
    context.params = found.params;
    context.query = found.searchParams;
  };
}

function routerFor(routes: readonly Route[]): Instance<HTTPVersion.V1> {
  const router = createRouter({
    maxParamLength: 1_000,
    onBadUrl() {
      throw new Problem('invalid_request', 'path: not a valid URL path');
    },
    onMaxParamLength() {
      throw new Problem('invalid_request', 'path: a parameter is too long');
    },
  });
  for (const declared of routes)
    for (const url of declared.finalSlash ? [declared.url, `${declared.url}/`] : [declared.url])
      router.on(
        declared.method === 'GET' ? ['GET', 'HEAD'] : declared.method,
        url,
        () => undefined,
        declared,
      );
  return router;
}

/** What no route answers may be one of the console's files or pages. */
function pageAt(files: ConsoleFiles | undefined, { method, target, request }: RequestContext): Route | null {
  if (files === undefined || (method !== 'GET' && method !== 'HEAD')) return null;
  const page = files.find(pathOf(target), request.headers);
  return page === null ? null : answering(page);
}

/** A browser asks before it sends what a page of another origin wants sent. */
function preflightAt(routes: readonly Route[], { method, target, request }: RequestContext): Route | null {
  const { origin, 'access-control-request-method': asked } = request.headers;
  if (method !== 'OPTIONS' || origin === undefined || asked === undefined) return null;
  const offered = routesAt(routes, pathOf(target)).filter(({ crossOrigin }) => crossOrigin);
  if (offered.length === 0) return null;
  const answer = preflightReply(offered, request.headers['access-control-request-headers']);
  return { ...answering(answer), crossOrigin: true };
}

function answering(reply: Reply): Route {
  const usual = { method: 'GET', url: 'unknown', summary: '', scope: null, status: 200, cost: 1 } as const;
  return { ...usual, reply: null, handle: () => reply };
}

function routesAt(routes: readonly Route[], path: string): readonly Route[] {
  return routes.filter(
    ({ url, finalSlash }) => pathPattern(url).test(path) || (finalSlash && pathPattern(`${url}/`).test(path)),
  );
}

/** 405 with `Allow` (RFC 9110 section 15.5.6) where the path exists under another method, else 404. */
function notRouted(routes: readonly Route[], { method, target }: RequestContext): Problem {
  const methods = [...new Set(routesAt(routes, pathOf(target)).map((declared) => declared.method))];
  if (methods.length === 0) return new Problem('not_found', 'Not found');
  const detail = `${method} is not offered here; expected ${methods.join(', ')}`;
  const allow = methods.flatMap((each) => (each === 'GET' ? ['GET', 'HEAD'] : [each]));
  return new Problem('method_not_allowed', detail, { facts: { allow } });
}
