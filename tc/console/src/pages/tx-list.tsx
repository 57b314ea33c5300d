/* Transactions, sagas, messages: filters and pages are the coordinator's work,
 * so it makes no difference how many there are. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { t, word, type Key } from '../i18n';
import { path } from '../lib/api';
import { number } from '../lib/format';
import { useLive } from '../lib/live';
import { go, Link, urlOf } from '../lib/router';
import type { Page as TxPage, Tx } from '../lib/types';
import { Empty, Page, right, Shown, Span, Status, Table, When, XidLink } from '../ui';

export type Source = 'transactions' | 'sagas' | 'messages';

const UNFINISHED = [
	'Begin', 'Committing', 'CommitRetrying', 'AsyncCommitting', 'Rollbacking',
	'RollbackRetrying', 'TimeoutRollbacking', 'TimeoutRollbackRetrying', 'CommitFailed',
	'RollbackFailed', 'TimeoutRollbackFailed', 'CommitRetryTimeout', 'RollbackRetryTimeout',
];
const FINISHED = ['Committed', 'Rollbacked', 'TimeoutRollbacked'];
const AGES = ['1s', '10s', '1m', '5m', '15m', '1h', '1d'];
const NAMES = ['state', 'status', 'kind', 'hung', 'text', 'resource', 'min_age'] as const;

type Query = Record<string, string>;

/* What may be asked together: the archive knows neither resources nor ages. */
export function cleanQuery(query: Query, source: Source): Query {
	const out: Query = {};
	for (const name of [...NAMES, 'after'])
		if (query[name]) out[name] = query[name];
	if (out.state !== 'finished') delete out.state;
	else for (const name of ['hung', 'resource', 'min_age']) delete out[name];
	if (source !== 'transactions') delete out.kind;
	return out;
}

function Filters({ source, query }: { source: Source; query: Query }) {
	const finished = query.state === 'finished';
	const change = (changes: Record<string, string | undefined>) =>
		go(urlOf([source], { ...query, after: undefined, ...changes }));
	const choice = (name: string, label: string, options: [string, string][]) => (
		<label>
			<span>{label}</span>
			<select
				value={query[name] ?? ''}
				onChange={(e) => change({ [name]: e.currentTarget.value })}
			>
				{options.map(([value, text]) => (
					<option value={value}>{text}</option>
				))}
			</select>
		</label>
	);
	const any: [string, string] = ['', t('any')];
	return (
		<form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
			{choice('state', t('state'), [
				['', t('state.unfinished')],
				['finished', t('state.finished')],
			])}
			{choice('status', t('status'), [
				any,
				...(finished ? FINISHED : UNFINISHED).map((s): [string, string] => [s, word('status', s)]),
			])}
			{source === 'transactions' &&
				choice('kind', t('kind'), [
					any,
					...['plain', 'message', 'saga'].map((k): [string, string] => [k, word('kind', k)]),
				])}
			{!finished &&
				choice('min_age', t('older.than'), [any, ...AGES.map((a): [string, string] => [a, word('age', a)])])}
			<Typed name="text" label={t('name.or.application')} search query={query} change={change} />
			{!finished && <Typed name="resource" label={t('resource')} query={query} change={change} />}
			{!finished && (
				<label class="check">
					<input
						type="checkbox"
						checked={query.hung === 'true'}
						onChange={(e) => change({ hung: e.currentTarget.checked ? 'true' : undefined })}
					/>
					<span>{t('hung.only')}</span>
				</label>
			)}
			{Object.keys(query).length > 0 && (
				<button type="button" onClick={() => go(urlOf([source]))}>
					{t('filters.clear')}
				</button>
			)}
		</form>
	);
}

/* Asks when the typing pauses. */
function Typed({ name, label, query, change, search }: {
	name: string;
	label: string;
	query: Query;
	change: (changes: Record<string, string | undefined>) => void;
	search?: boolean;
}) {
	const [text, setText] = useState(query[name] ?? '');
	const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
	useEffect(() => setText(query[name] ?? ''), [query[name]]);
	useEffect(() => () => clearTimeout(timer.current), []);
	return (
		<label>
			<span>{label}</span>
			<input
				type={search ? 'search' : 'text'}
				value={text}
				spellcheck={false}
				onInput={(e) => {
					const value = e.currentTarget.value;
					setText(value);
					clearTimeout(timer.current);
					timer.current = setTimeout(() => change({ [name]: value }), 300);
				}}
			/>
		</label>
	);
}

export function TxTable({ list, label, busy, source = 'transactions' }: {
	list: Tx[];
	label: string;
	busy?: boolean;
	source?: Source;
}) {
	const saga = source === 'sagas';
	return (
		<Table
			label={label}
			busy={busy}
			heads={[
				t('transaction'),
				t('status'),
				saga ? t('machine') : t('name'),
				saga ? t('business.key') : t('application'),
				t('began'),
				right(t('age')),
				...(saga ? [] : [right(t('branches')), right(t('locks'))]),
				right(t('next')),
				t('last.error'),
			]}
		>
			{list.map((tx) => (
				<tr key={tx.xid} class={tx.hung ? 'hung' : ''}>
					<td>
						<XidLink xid={tx.xid} kind={tx.kind} />
					</td>
					<td>
						<Status status={tx.status} hung={tx.hung} />
					</td>
					<td>
						{saga ? (tx.machine ?? tx.name) : tx.name}
						{source === 'transactions' && tx.kind && tx.kind !== 'plain' && (
							<span class="tag">{word('kind', tx.kind)}</span>
						)}
					</td>
					<td>{saga ? tx.business_key : tx.application}</td>
					<td>
						<When at={tx.began_at} />
					</td>
					<td class="right">
						<Span ms={tx.age_ms} />
					</td>
					{!saga && <td class="right">{number(tx.branch_count ?? 0)}</td>}
					{!saga && <td class="right">{number(tx.lock_count ?? 0)}</td>}
					<td class="right">
						<Span ms={tx.next_due_ms} />
					</td>
					<td class="error" title={tx.last_error ?? ''}>
						{tx.last_error}
					</td>
				</tr>
			))}
		</Table>
	);
}

export function TxList({ source, query }: { source: Source; query: Query }) {
	const clean = cleanQuery(query, source);
	const live = useLive<TxPage>(path([source], { ...clean, limit: '50' }), 3000, true);
	return (
		<Page title={t(`menu.${source}` as Key)}>
			<Filters source={source} query={clean} />
			<Shown live={live}>
				{(page) => (
					<>
						{page.transactions.length > 0 ? (
							<TxTable
								list={page.transactions}
								label={t(`menu.${source}` as Key)}
								busy={live.loading}
								source={source}
							/>
						) : (
							<Empty>{page.next ? t('none.here') : t('none')}</Empty>
						)}
						<nav class="pages" aria-label={t('pages')}>
							{clean.after && (
								<Link data-key="b" to={urlOf([source], { ...clean, after: undefined })}>
									{t('first.page')}
								</Link>
							)}
							{page.next && (
								<Link data-key="n" to={urlOf([source], { ...clean, after: page.next })}>
									{t('next.page')}
								</Link>
							)}
						</nav>
					</>
				)}
			</Shown>
		</Page>
	);
}
