import { refuseUnknownKey, rotate } from '../vault/vault.ts';
import { withServices } from './open-services.ts';
import { print } from './output.ts';

/** A line a second is enough to see that it goes on. */
const tellEveryMs = 1_000;

/** Puts every sealed value under the first key of MCPRANK_VAULT_KEYS; servers go on working meanwhile. */
export async function rotateVault(json: boolean): Promise<void> {
  let told = Date.now();
  const rewrapped = await withServices(async ({ storage, vault, seals }) => {
    refuseUnknownKey(vault, await storage.presence.serving());
    return storage.longWork.track('vault rotation', (tell) =>
      rotate(vault, seals.columns, ({ column, done, total }) => {
        tell({ done, total, unit: column });
        if (Date.now() - told < tellEveryMs) return;
        told = Date.now();
        console.error(`${column}: ${done} of ${total}`);
      }),
    );
  });
  print(json, { rewrapped }, [
    `${rewrapped} values re-wrapped; keys behind the first one may go from MCPRANK_VAULT_KEYS once every server runs with the new list`,
  ]);
}
