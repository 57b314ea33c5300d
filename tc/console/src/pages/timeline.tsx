/* The history, to scale and line by line. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { duration } from '../lib/format';
import { timeline, toneOf, type Lane } from '../lib/timeline';
import type { TxDetail } from '../lib/types';
import { Empty, right, Table, When } from '../ui';

const LEFT = 200; /* room for a branch's whole id */
const WIDTH = 1000;
const RIGHT = 14;
const ROW = 30;
const TOP = 26;

function laneName(lane: Lane): string {
	if (lane.kind === 'branch') return t('branch.n', { id: lane.branch! });
	if (lane.kind === 'task') return t('task.n', { id: lane.branch! });
	return t('transaction');
}

export function TimelineView({ tx }: { tx: TxDetail }) {
	const [picked, setPicked] = useState<number[]>([]);
	const began = tx.began_at ? Date.parse(tx.began_at) : NaN;
	const last = tx.history.map((l) => (l.at ? Date.parse(l.at) : 0)).reduce((a, b) => Math.max(a, b), 0);
	const until = tx.finished ? last : Number.isNaN(began) ? last : began + (tx.age_ms ?? 0);
	const line = timeline(tx.history, until);
	const x = (at: number) => LEFT + at * (WIDTH - LEFT - RIGHT);
	const height = line ? TOP + line.lanes.length * ROW + 6 : 0;
	return (
		<section aria-labelledby="story">
			<h2 id="story">{t('timeline')}</h2>
			{!line && <Empty>{t('timeline.none')}</Empty>}
			{line && (
				<div class="timeline" role="region" aria-label={t('timeline')} tabIndex={0}>
					<svg
						viewBox={`0 0 ${WIDTH} ${height}`}
						role="img"
						aria-label={t('timeline.label', {
							n: tx.history.length,
							span: duration(line.end - line.start),
						})}
					>
						{line.ticks.map((tick) => (
							<g class="tick">
								<line x1={x(tick.x)} x2={x(tick.x)} y1={TOP - 8} y2={height} />
								<text x={x(tick.x)} y={TOP - 12} text-anchor={tick.x > 0.95 ? 'end' : 'middle'}>
									{tick.ms === 0 ? '0' : `+${duration(tick.ms)}`}
								</text>
							</g>
						))}
						{line.lanes.map((lane, i) => {
							const y = TOP + i * ROW + ROW / 2;
							return (
								<g class="lane">
									<text x={LEFT - 12} y={y + 4} text-anchor="end">
										{laneName(lane)}
									</text>
									<line x1={x(lane.from)} x2={x(lane.to)} y1={y} y2={y} />
									{lane.marks.map((mark) => (
										<g
											class={`mark ${mark.tone} ${mark.lines.some((l) => picked.includes(l)) ? 'picked' : ''}`}
											onClick={() => setPicked(mark.lines)}
										>
											<title>{mark.lines.map((l) => tx.history[l].text).join('\n')}</title>
											<circle cx={x(mark.x)} cy={y} r={mark.lines.length > 1 ? 8 : 6} />
											{mark.lines.length > 1 && (
												<text x={x(mark.x)} y={y + 3.5} text-anchor="middle">
													{mark.lines.length > 9 ? '+' : mark.lines.length}
												</text>
											)}
										</g>
									))}
								</g>
							);
						})}
					</svg>
				</div>
			)}
			{tx.history.length > 0 && (
				<Table label={t('history')} heads={[t('time'), right(t('since.before')), t('what')]}>
					{tx.history.map((entry, i) => {
						const before = i > 0 ? tx.history[i - 1].at : tx.began_at;
						const gap = entry.at && before ? Date.parse(entry.at) - Date.parse(before) : null;
						return (
							<tr class={picked.includes(i) ? 'picked' : ''}>
								<td>
									<When at={entry.at} />
								</td>
								<td class="right num">{gap === null ? '–' : `+${duration(Math.max(0, gap))}`}</td>
								<td class="wrap">
									<span class={`dot ${toneOf(entry.text)}`} aria-hidden="true" /> {entry.text}
								</td>
							</tr>
						);
					})}
				</Table>
			)}
		</section>
	);
}
