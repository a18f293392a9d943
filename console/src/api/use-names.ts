import { useData } from './use-data.ts';

/** What the ids of keys and developers stand for. EmptyState until it is known: pages show ids till then. */
export function useNames() {
  const { data } = useData('GET /v1/admin/keys');
  const keys = data?.keys ?? [];
  const developers = new Map(keys.map(({ developer_id, developer }) => [developer_id, developer]));
  const names = new Map([...developers, ...keys.map(({ key_id, name }) => [key_id, name] as const)]);
  return {
    of: (id: string): string | undefined => names.get(id),
    /** Id and name of each. */
    developers: [...developers].sort(([, a], [, b]) => a.localeCompare(b)),
  };
}

export type Names = ReturnType<typeof useNames>;
