/* How it is going: what hangs first, then what is slow, then the rates. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { t, word } from '../i18n';
import { path } from '../lib/api';
import { duration, number, rate } from '../lib/format';
import { useLive } from '../lib/live';
import { Link, urlOf } from '../lib/router';
import { push, rates, spark, type Sample } from '../lib/rates';
import type { Page as TxPage, Stats, Unfinished } from '../lib/types';
import { Empty, Page, right, Shown, Span, Status, Table } from '../ui';
import { TxTable } from './tx-list';

function Tile({ label, value, to, tone = '' }: {
	label: string;
	value: string;
	to?: string;
	tone?: string;
}) {
	const inner = (
		<>
			<span class="value">{value}</span>
			<span class="label">{label}</span>
		</>
	);
	return to ? (
		<Link class={`tile ${tone}`} to={to}>
			{inner}
		</Link>
	) : (
		<div class={`tile ${tone}`}>{inner}</div>
	);
}

const W = 240;
const H = 48;

/* One rate over the last minutes that this page was open. */
function Chart({ label, values, unit }: { label: string; values: number[]; unit: string }) {
	const now = values.length ? values[values.length - 1] : 0;
	const most = Math.max(...values, 0);
	return (
		<figure class="chart">
			<figcaption>
				<span>{label}</span>
				<span class="num">
					{values.length ? `${rate(now)} ${unit}` : '–'}
				</span>
			</figcaption>
			<svg
				viewBox={`0 0 ${W} ${H}`}
				preserveAspectRatio="none"
				role="img"
				aria-label={t('chart.label', { what: label, now: rate(now), most: rate(most) })}
			>
				<path class="area" d={spark(values, W, H, true)} />
				<path class="line" d={spark(values, W, H, false)} />
			</svg>
		</figure>
	);
}

function useSamples(stats: Stats | undefined, at: number | undefined): Sample[] {
	const [samples, setSamples] = useState<Sample[]>([]);
	const last = useRef<number | undefined>(undefined);
	useEffect(() => {
		if (!stats || at === undefined || at === last.current) return;
		last.current = at;
		setSamples((old) => push(old, stats));
	}, [stats, at]);
	return samples;
}

function Charts({ stats, at }: { stats: Stats; at: number | undefined }) {
	const samples = useSamples(stats, at);
	const per = t('per.second');
	return (
		<section aria-labelledby="rates">
			<h2 id="rates">{t('rates')}</h2>
			<div class="charts">
				<Chart label={t('begun')} unit={per} values={rates(samples, (s) => s.core.begun)} />
				<Chart label={t('committed')} unit={per} values={rates(samples, (s) => s.core.committed)} />
				<Chart label={t('rolled.back')} unit={per} values={rates(samples, (s) => s.core.rolled_back)} />
				<Chart label={t('retries')} unit={per} values={rates(samples, (s) => s.core.retries)} />
				<Chart
					label={t('lock.conflicts')}
					unit={per}
					values={rates(samples, (s) => s.core.lock_conflicts)}
				/>
				<Chart label={t('syncs')} unit={per} values={rates(samples, (s) => s.store.syncs)} />
			</div>
		</section>
	);
}

function Tiles({ stats }: { stats: Stats }) {
	const { core, store } = stats;
	const sync = store.syncs > 0 ? duration(store.sync_us_total / store.syncs / 1000) : '–';
	return (
		<div class="tiles">
			<Tile
				label={t('state')}
				value={word('host', stats.state)}
				tone={stats.state === 'ready' ? 'good' : 'warn'}
			/>
			<Tile
				label={t('unfinished')}
				value={number(core.transactions_now)}
				to={urlOf(['transactions'])}
			/>
			<Tile
				label={t('dead.letters')}
				value={number(core.dead_letters_now)}
				to={urlOf(['dead-letters'])}
				tone={core.dead_letters_now > 0 ? 'bad' : ''}
			/>
			<Tile label={t('locks.held')} value={number(core.locks_now)} />
			<Tile
				label={t('lock.waiters')}
				value={number(core.waiters_now)}
				tone={core.waiters_now > 0 ? 'warn' : ''}
			/>
			<Tile label={t('agents')} value={number(core.peers_now)} />
			<Tile label={t('origins')} value={number(core.origins_now)} />
			<Tile label={t('sync.time')} value={sync} />
			<Tile label={t('uptime')} value={duration(stats.uptime_ms)} />
			<Tile label={t('version')} value={stats.version} />
		</div>
	);
}

function List({ id, title, query, none }: {
	id: string;
	title: string;
	query: Record<string, string>;
	none: string;
}) {
	const live = useLive<TxPage>(path(['transactions'], { ...query, limit: '10' }), 3000);
	return (
		<section aria-labelledby={id}>
			<h2 id={id}>{title}</h2>
			<Shown live={live}>
				{(page) =>
					page.transactions.length > 0 ? (
						<>
							<TxTable list={page.transactions} label={title} />
							{page.next && (
								<p>
									<Link to={urlOf(['transactions'], query)}>{t('all.of.them')}</Link>
								</p>
							)}
						</>
					) : (
						<Empty>{none}</Empty>
					)
				}
			</Shown>
		</section>
	);
}

/* "1h" for the list's min_age. */
export function ageParam(ms: number): string {
	if (ms % 86_400_000 === 0) return `${ms / 86_400_000}d`;
	if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
	return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${Math.floor(ms / 1000)}s`;
}

function Census() {
	const live = useLive<Unfinished>('unfinished', 5000);
	return (
		<section aria-labelledby="census">
			<h2 id="census">{t('unfinished.by')}</h2>
			<Shown live={live}>
				{(u) =>
					u.statuses.length === 0 ? (
						<Empty>{t('none')}</Empty>
					) : (
						<div class="pair">
							<Table label={t('status')} heads={[t('status'), right(t('unfinished'))]}>
								{[...u.statuses]
									.sort((a, b) => Number(b.hung) - Number(a.hung) || b.count - a.count)
									.map((s) => (
										<tr class={s.hung ? 'hung' : ''}>
											<td>
												<Link to={urlOf(['transactions'], { status: s.status })}>
													<Status status={s.status} hung={s.hung} />
												</Link>
											</td>
											<td class="right">{number(s.count)}</td>
										</tr>
									))}
							</Table>
							<Table
								label={t('older.than')}
								heads={[t('older.than'), right(t('unfinished')), right(t('of.these.hung'))]}
							>
								{u.ages.map((a) => (
									<tr>
										<td>
											<Link to={urlOf(['transactions'], { min_age: ageParam(a.older_than_ms) })}>
												{duration(a.older_than_ms)}
											</Link>
										</td>
										<td class="right">{number(a.count)}</td>
										<td class="right">{number(a.hung)}</td>
									</tr>
								))}
								<tr>
									<td>{t('oldest.one')}</td>
									<td class="right">
										<Span ms={u.oldest_ms} />
									</td>
									<td class="right">
										<Span ms={u.oldest_hung_ms || null} />
									</td>
								</tr>
							</Table>
						</div>
					)
				}
			</Shown>
		</section>
	);
}

export function Overview() {
	const stats = useLive<Stats>('stats', 2000);
	return (
		<Page title={t('menu.overview')}>
			<Shown live={stats}>{(s) => <Tiles stats={s} />}</Shown>
			<List id="hung" title={t('hung.title')} query={{ hung: 'true' }} none={t('hung.none')} />
			<Census />
			<List id="oldest" title={t('oldest')} query={{ min_age: '1s' }} none={t('oldest.none')} />
			{stats.data && <Charts stats={stats.data} at={stats.at} />}
		</Page>
	);
}
