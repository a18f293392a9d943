/** Preloaded into a service (`--import`): SIGUSR2 puts its clock forward by an hour, and the next one back again. */
const hourMs = 3_600_000;
const real = Date.now;
let stepMs = 0;
Date.now = () => real() + stepMs;
process.on('SIGUSR2', () => {
  stepMs = hourMs - stepMs;
});
