import { openRooms, type Rooms } from '../app.ts';
import { type Config, environment, parseConfig } from '../config.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';

/** Opens the rooms for one command and closes them whatever happens; only errors are logged. */
export async function withRooms<T>(act: (rooms: Rooms, config: Config) => Promise<T>): Promise<T> {
  const config = parseConfig(environment());
  const rooms = await openRooms(config, {
    telemetry: createTelemetry({ level: config.logLevel === 'debug' ? 'debug' : 'error' }),
  });
  try {
    return await act(rooms, config);
  } finally {
    await rooms.close();
  }
}
