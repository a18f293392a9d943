import type { CatalogChange } from '../catalog/catalog.ts';
import type { Policy } from '../policy/policy.ts';

/**
 * Changes of the catalogue, each as soon as the rights in memory are as new. Rights are written before their server, so nobody
 * finds what has just come and is not theirs: not in a process either that was told of the server first.
 */
export async function* afterTheirRights(
  changes: AsyncIterable<readonly CatalogChange[]>,
  { isCurrent, start }: Pick<Policy, 'isCurrent' | 'start'>,
): AsyncIterable<readonly CatalogChange[]> {
  for await (const some of changes) {
    if (!some.every(({ revision }) => isCurrent(revision))) await start();
    yield some;
  }
}
