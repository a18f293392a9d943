import { type Static, Type } from 'typebox';
import type { Diagnostic } from '../diagnostics.ts';
import { json, type Route, route } from '../http/route.ts';
import { textOrNull } from './field-schemas.ts';

const settingSchema = Type.Object(
  {
    name: Type.String(),
    value: Type.String({ description: 'secrets are masked' }),
    meaning: Type.String(),
    default: textOrNull,
  },
  { $id: 'Setting' },
);
const diagnosticSchema = Type.Object(
  {
    check: Type.String(),
    level: Type.Enum(['ok', 'warning', 'error']),
    message: Type.String(),
  },
  { $id: 'Diagnostic' },
);
const settingsSchema = Type.Object(
  {
    settings: Type.Array(settingSchema),
    findings: Type.Array(diagnosticSchema),
    process: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  },
  { $id: 'Settings' },
);

/** What `mcprank doctor` shows, of the process that answers. */
export function settingsRoutes(deps: {
  readonly settings: () => readonly Static<typeof settingSchema>[];
  readonly diagnose: () => Promise<readonly Diagnostic[]>;
  readonly process: () => Readonly<Record<string, string | number>>;
}): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/settings',
      summary: 'The effective settings, secrets masked, and whether what they name works',
      scope: 'admin',
      reply: settingsSchema,
      handle: async () =>
        json({ settings: deps.settings(), findings: await deps.diagnose(), process: deps.process() }),
    }),
  ];
}
