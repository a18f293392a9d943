import { getHeapStatistics } from 'node:v8';
import { garbageCollector } from '../base/garbage-collector.ts';

const everyMs = 3_000;
/** Of the time since it was last looked at. */
const idleShare = 0.02;
/** It takes 50 to 90 ms (measured), in which nobody is answered: a tenth at most of what was worked before. */
const worthTimes = 10;
/** Of the heap after the last time: a process that only ticks over leaves little behind. */
const worthGrowth = 1.25;

/**
 * Gives back what a start, or a busy time, needed, once the process rests: V8 keeps it for the next one, the young generation
 * at its largest above all, and collects the whole heap only when that grows (22 MB of 130 after a start, measured).
 */
export function collectAtRest(): void {
  const collect = garbageCollector();
  let since = performance.eventLoopUtilization();
  let worked = since.active;
  let [tookMs, restBytes] = [0, 0];
  setInterval(() => {
    const now = performance.eventLoopUtilization();
    const spent = performance.eventLoopUtilization(now, since);
    since = now;
    worked += spent.active;
    if (spent.utilization > idleShare || worked < worthTimes * tookMs) return;
    if (getHeapStatistics().total_heap_size < worthGrowth * restBytes) return;
    const began = performance.now();
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    tookMs = performance.now() - began;
    restBytes = getHeapStatistics().total_heap_size;
    worked = 0;
    since = performance.eventLoopUtilization();
  }, everyMs).unref();
}
