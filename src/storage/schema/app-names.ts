import type { Kysely } from 'kysely';

/** How people see a developer's app, in place of the developer's name. */
export async function appNames({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('oauth_apps').addColumn('display_name', 'text').execute();
  await schema.alterTable('oauth_apps').addColumn('logo', 'text').execute();
}
