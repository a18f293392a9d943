/**
 * The entry of our side: waits for its turn, then does what the scenario wants. The referee starts all scenarios at once,
 * and thirty services that start on two cores are late for everything that the protocol sets a time for.
 */
import { once } from 'node:events';
import module from 'node:module';
import { connect } from 'node:net';

module.enableCompileCache();
const turn = connect(Number(process.env.CONFORMANCE_TURNS), '127.0.0.1');
await once(turn, 'data');
// The line stays open for as long as this process lives, and keeps it from ending no longer.
turn.unref();
await import('./client.ts');
