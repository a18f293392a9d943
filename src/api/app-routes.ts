import { Type } from 'typebox';
import type { Access } from '../access/access.ts';
import { keyActor } from '../base/actor.ts';
import { Problem } from '../base/problem.ts';
import type { AppSettings, ConnectionAdmin } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';
import { idPath, orNull, strict, text, textOrNull } from './field-schemas.ts';

const appSettingsSchema = Type.Object(
  {
    return_urls: Type.Array(Type.String()),
    require_confirmation: Type.Boolean(),
    display_name: textOrNull,
    logo: textOrNull,
  },
  { $id: 'AppSettings' },
);
const appSettingsRequestSchema = Type.Object(
  {
    return_urls: Type.Array(text(2_000), { maxItems: 100 }),
    require_confirmation: Type.Optional(Type.Boolean()),
    display_name: Type.Optional(orNull(text(80))),
    logo: Type.Optional(
      orNull(
        Type.String({
          maxLength: 45_000,
          pattern: '^data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}$',
          description: 'a small picture as a `data:` URL: PNG, JPEG, WebP or GIF, 32 kB at most',
          examples: ['data:image/png;base64,iVBORw0KGgo='],
        }),
      ),
    ),
  },
  { ...strict, $id: 'AppSettingsRequest' },
);

/** What an operator registers for a developer's app; `:id` is the developer's. */
export function appRoutes(admin: ConnectionAdmin, access: Pick<Access, 'hasDeveloper'>): Route[] {
  const requireDeveloper = async (developerId: string) => {
    if (!(await access.hasDeveloper(developerId))) throw new Problem('not_found', 'Developer not found');
  };
  return [
    route({
      method: 'GET',
      url: '/v1/admin/apps/:id',
      summary:
        "A developer's app: where browsers may be sent back to, and whether sessions need a confirmation",
      scope: 'admin',
      params: idPath,
      reply: appSettingsSchema,
      problems: ['not_found'],
      handle: async ({ params }) => {
        await requireDeveloper(params.id);
        return json(describe(await admin.appSettings(params.id)));
      },
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/apps/:id',
      summary: 'Set them, all at once',
      scope: 'admin',
      params: idPath,
      body: appSettingsRequestSchema,
      reply: appSettingsSchema,
      problems: ['not_found'],
      handle: async ({ params, body, caller }) => {
        await requireDeveloper(params.id);
        const { return_urls: returnUrls, require_confirmation: requireConfirmation = false } = body;
        const { display_name: displayName = null, logo = null } = body;
        const settings = { returnUrls, requireConfirmation, displayName, logo };
        await admin.changeAppSettings(params.id, settings, keyActor(caller));
        return json(describe(await admin.appSettings(params.id)));
      },
    }),
  ];
}

function describe({ returnUrls, requireConfirmation, displayName, logo }: AppSettings) {
  return {
    return_urls: returnUrls,
    require_confirmation: requireConfirmation,
    display_name: displayName,
    logo,
  };
}
