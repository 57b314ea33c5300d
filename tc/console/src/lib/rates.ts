/* Counters that only grow, as rates; by the coordinator's own clock. Pure. */
import type { Stats } from './types';

export interface Sample {
	core: Record<string, number>;
	store: Record<string, number>;
	ms: number;
}

const KEPT = 151; /* five minutes at one in two seconds */

/* A restart begins anew: its counters have nothing to do with those before. */
export function push(samples: Sample[], stats: Stats): Sample[] {
	const next = { core: stats.core, store: stats.store, ms: stats.uptime_ms };
	const last = samples[samples.length - 1];
	if (last && last.ms === next.ms) return samples;
	if (last && last.ms > next.ms) return [next];
	return [...samples, next].slice(-KEPT);
}

export function rates(samples: Sample[], of: (s: Sample) => number): number[] {
	return samples.slice(1).map((s, i) =>
		Math.max(0, ((of(s) - of(samples[i])) * 1000) / (s.ms - samples[i].ms)),
	);
}

/* A curve of values as the "d" of a path, the highest at the top. */
export function spark(values: number[], width: number, height: number, area: boolean): string {
	if (values.length === 0) return '';
	const most = Math.max(...values, 1e-9);
	const step = width / Math.max(1, values.length - 1);
	const points = values.map((v, i) => {
		const x = (i * step).toFixed(1);
		const y = (height - 2 - (v / most) * (height - 4)).toFixed(1);
		return `${x},${y}`;
	});
	const line = `M${points.join('L')}`;
	if (!area) return line;
	return `${line}L${((values.length - 1) * step).toFixed(1)},${height}L0,${height}Z`;
}
