import { Type } from 'typebox';
import { json, type Route, route } from '../http/route.ts';

const text = Type.String();
const setting = Type.Object({
  name: text,
  value: Type.String({ description: 'secrets are masked' }),
  meaning: text,
  default: Type.Union([text, Type.Null()]),
});
const finding = Type.Object({
  check: text,
  level: Type.Enum(['ok', 'warning', 'error']),
  message: text,
});

type Settings = {
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
  readonly default: string | null;
}[];
type Findings = readonly { readonly check: string; readonly level: string; readonly message: string }[];

/** What `mcprank doctor` shows, of the process that answers. */
export function settingsRoutes(deps: {
  readonly settings: () => Settings;
  readonly diagnose: () => Promise<Findings>;
  readonly process: () => Readonly<Record<string, string | number>>;
}): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/settings',
      summary: 'The effective settings, secrets masked, and whether what they name works',
      scope: 'admin',
      reply: Type.Object({
        settings: Type.Array(setting),
        findings: Type.Array(finding),
        process: Type.Object({}),
      }),
      handle: async () =>
        json({ settings: deps.settings(), findings: await deps.diagnose(), process: deps.process() }),
    }),
  ];
}
