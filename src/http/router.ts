import createRouter, { type HTTPVersion, type Instance } from 'find-my-way';
import { Problem } from '../base/problem.ts';
import type { ConsoleFiles } from './console/static-files.ts';
import type { LifecycleStep } from './lifecycle.ts';
import { originHeader } from './passthrough/passthrough.ts';
import { pathOf } from './request-checks.ts';
import type { RequestContext } from './request-context.ts';
import { isPassthrough, pathPattern, type Route, route } from './route.ts';

/** The step that finds the route of a request, its parameters and its query. Throws `not_found`, `method_not_allowed` and `invalid_request`. */
export function createRouting(routes: readonly Route[], files: ConsoleFiles | undefined): LifecycleStep {
  const router = routerFor(routes);
  return (context) => {
    const { method, target } = context;
    const found = router.find(method as 'GET', target);
    if (found === null) {
      const page = pageAt(files, context);
      if (page === null) throw notRouted(routes, context);
      context.route = page;
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
  if (page === null) return null;
  return route({ method: 'GET', url: 'unknown', summary: '', scope: null, reply: null, handle: () => page });
}

/** 405 with `Allow` (RFC 9110 section 15.5.6) where the path exists under another method, else 404. */
function notRouted(routes: readonly Route[], { method, target }: RequestContext): Problem {
  const path = pathOf(target);
  const methods = [
    ...new Set(routes.filter(({ url }) => pathPattern(url).test(path)).map((declared) => declared.method)),
  ];
  if (methods.length === 0) return new Problem('not_found', 'Not found');
  const detail = `${method} is not offered here; expected ${methods.join(', ')}`;
  const allow = methods.flatMap((each) => (each === 'GET' ? ['GET', 'HEAD'] : [each]));
  return new Problem('method_not_allowed', detail, { facts: { allow } });
}
