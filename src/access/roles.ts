/** What people may in the console, each more than the one before. */
export const roles = ['viewer', 'developer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

export function isAtLeast(role: Role, least: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(least);
}
