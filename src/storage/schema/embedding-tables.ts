import type { Kysely } from 'kysely';

export async function embeddings({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('embeddings')
    .addColumn('space', 'text', (c) => c.notNull())
    .addColumn('digest', 'text', (c) => c.notNull())
    .addColumn('vector', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('embeddings_pk', ['space', 'digest'])
    .execute();
}
