/* One transaction: where it is, why it waits, what happened when, and what can
 * be done about it. */
import { useState } from 'preact/hooks';
import { t, word, type Key } from '../i18n';
import { path, send } from '../lib/api';
import { number } from '../lib/format';
import { useLive } from '../lib/live';
import { Link, urlOf } from '../lib/router';
import type { Branch, TxDetail } from '../lib/types';
import { ActionDialog, Code, CodeOf, Empty, ErrorBox, Facts, Loading, Page, right, Span, Status, Table, When } from '../ui';
import { DirtyRows, differenceOf, ResolveDialog } from './dirty';
import { RunView } from './run';
import { TimelineView } from './timeline';
import type { Source } from './tx-list';

type Act =
	| { what: 'retry'; branch?: Branch }
	| { what: 'resolve'; branch: Branch }
	| { what: 'replay'; branch: Branch }
	| { what: 'forward' | 'compensate' }
	| { what: 'skip'; task?: number };

function isDead(tx: TxDetail, b: Branch): boolean {
	return b.mode === 'MSG' && /CommitFailed_Unretryable|STOP_RETRY/.test(b.status) && !tx.finished;
}

/* What waits and is decided may be tried now. */
function mayRetry(status: string): boolean {
	return /Retry|Failed|Rollbacking|Committing/.test(status);
}

function BranchRow({ tx, b, onAct }: { tx: TxDetail; b: Branch; onAct: (act: Act) => void }) {
	const difference = differenceOf(b.detail);
	const more = b.lock_keys.length > 0 || b.application_data || b.participant || difference;
	const open = !/PhaseTwo_(Committed|Rollbacked)$|RDONLY/.test(b.status);
	return (
		<>
			<tr class={/Unretryable|STOP/.test(b.status) ? 'hung' : ''}>
				<td class="mono">{b.id}</td>
				<td>{b.mode}</td>
				<td>
					<Status kind="branch" status={b.status} />
					{b.in_flight && <span class="tag">{t('under.way')}</span>}
				</td>
				<td class="mono wrap">
					{b.topic ? `${b.topic} → ${b.subscriber ?? b.resource}` : b.resource}
				</td>
				<td>
					{b.application}
					{b.instance && <span class="quiet"> {b.instance}</span>}
				</td>
				<td class="right">{number(b.attempts)}</td>
				<td class="right">
					<Span ms={b.next_due_ms} />
				</td>
				<td class="wrap">{b.last_error}</td>
				<td>
					{difference && (
						<button type="button" class="primary" onClick={() => onAct({ what: 'resolve', branch: b })}>
							{t('resolve')}
						</button>
					)}
					{isDead(tx, b) ? (
						<button type="button" onClick={() => onAct({ what: 'replay', branch: b })}>
							{t('replay')}
						</button>
					) : (
						open &&
						mayRetry(tx.status) && (
							<button type="button" onClick={() => onAct({ what: 'retry', branch: b })}>
								{t('retry')}
							</button>
						)
					)}
				</td>
			</tr>
			{more && (
				<tr class="more">
					<td colSpan={9}>
						{difference && <DirtyRows difference={difference} />}
						{b.lock_keys.length > 0 && (
							<details>
								<summary>{t('lock.keys', { n: b.lock_keys.length })}</summary>
								<ul class="keys-held">
									{b.lock_keys.map((k) => (
										<li class="mono">{k}</li>
									))}
								</ul>
							</details>
						)}
						{b.application_data && (
							<details>
								<summary>{t('data')}</summary>
								<Code text={b.application_data} />
							</details>
						)}
						{b.participant && (
							<details>
								<summary>{t('participant')}</summary>
								<CodeOf value={b.participant} />
							</details>
						)}
					</td>
				</tr>
			)}
		</>
	);
}

function Branches({ tx, onAct }: { tx: TxDetail; onAct: (act: Act) => void }) {
	return (
		<section aria-labelledby="branches">
			<h2 id="branches">{tx.kind === 'message' ? t('deliveries') : t('branches')}</h2>
			{tx.branches.length === 0 ? (
				<Empty>{tx.finished ? t('branches.gone', { n: tx.branch_count ?? 0 }) : t('branches.none')}</Empty>
			) : (
				<Table
					label={t('branches')}
					heads={[
						t('branch'), t('mode'), t('status'), t('resource'), t('application'),
						right(t('attempts')), right(t('next')), t('last.error'), t('actions'),
					]}
				>
					{tx.branches.map((b) => (
						<BranchRow key={b.id} tx={tx} b={b} onAct={onAct} />
					))}
				</Table>
			)}
		</section>
	);
}

const SAGA_MOVES = ['forward', 'compensate', 'skip'] as const;

function Actions({ tx, onAct }: { tx: TxDetail; onAct: (act: Act) => void }) {
	if (tx.finished) return null;
	if (tx.kind === 'saga')
		return (
			<>
				{SAGA_MOVES.filter((m) => tx.hung || m === 'compensate').map((m) => (
					<button type="button" onClick={() => onAct({ what: m })}>
						{t(`saga.${m}` as Key)}
					</button>
				))}
			</>
		);
	if (!mayRetry(tx.status) && !(tx.kind === 'message' && tx.check)) return null;
	return (
		<button type="button" class="primary" onClick={() => onAct({ what: 'retry' })}>
			{t('retry.all')}
		</button>
	);
}

function Dialog({ act, tx, close }: { act: Act; tx: TxDetail; close: (done: boolean) => void }) {
	const xid = tx.xid;
	switch (act.what) {
		case 'retry':
			return (
				<ActionDialog
					title={act.branch ? t('retry.branch', { id: act.branch.id }) : t('retry.all')}
					explain={act.branch ? t('retry.branch.explain', { xid }) : t('retry.explain', { xid })}
					verb={t('retry')}
					act={(reason) =>
						send(
							'POST',
							path(act.branch
								? ['transactions', xid, 'branches', act.branch.id, 'retry']
								: ['transactions', xid, 'retry']),
							{ reason },
						)
					}
					onClose={close}
				/>
			);
		case 'replay':
			return (
				<ActionDialog
					title={t('replay.branch', { id: act.branch.id })}
					explain={t('replay.explain', { xid })}
					verb={t('replay')}
					act={(reason) => send('POST', path(['dead-letters', xid, act.branch.id, 'replay']), { reason })}
					onClose={close}
				/>
			);
		case 'resolve':
			return <ResolveDialog xid={xid} branch={act.branch} onClose={close} />;
		case 'forward':
		case 'compensate':
		case 'skip':
			return (
				<ActionDialog
					title={t(`saga.${act.what}` as Key)}
					explain={t(`saga.${act.what}.explain` as Key, { xid })}
					verb={t(`saga.${act.what}` as Key)}
					danger={act.what !== 'forward'}
					act={(reason) =>
						send('POST', path(['sagas', xid, act.what]), {
							reason,
							...(act.what === 'skip' && act.task !== undefined ? { task: act.task } : {}),
						})
					}
					onClose={close}
				/>
			);
	}
}

function Head({ tx }: { tx: TxDetail }) {
	return (
		<Facts
			items={[
				[t('status'), <Status status={tx.status} hung={tx.hung} />],
				[t('kind'), tx.kind && word('kind', tx.kind)],
				[t('name'), tx.name],
				[t('application'), tx.application],
				[
					t('machine'),
					tx.machine && (
						<Link to={urlOf(['machines', tx.machine], { version: tx.version ?? '' })}>
							{tx.machine} {tx.version}
						</Link>
					),
				],
				[t('business.key'), tx.business_key],
				[t('began'), tx.began_at && <When at={tx.began_at} />],
				[t('ended'), tx.ended_at && <When at={tx.ended_at} />],
				[tx.finished ? t('took') : t('age'), tx.age_ms !== null && <Span ms={tx.age_ms} />],
				[t('timeout'), tx.timeout_ms !== null && <Span ms={tx.timeout_ms} />],
				[t('next'), tx.next_due_ms !== null && <Span ms={tx.next_due_ms} />],
				[t('locks'), tx.lock_count ? number(tx.lock_count) : null],
				[t('check'), tx.check && <span class="mono">{tx.check}</span>],
			]}
		/>
	);
}

export function TxShow({ source, xid }: { source: Source; xid: string }) {
	// What has finished does not change any more.
	const [done, setDone] = useState(false);
	const live = useLive<TxDetail>(path([source, xid]), done ? 0 : 1500);
	const [act, setAct] = useState<Act | undefined>();
	const tx = live.data;
	if (tx?.finished && !done) setDone(true);
	const close = (changed: boolean) => {
		setAct(undefined);
		if (changed) live.refresh();
	};
	return (
		<Page
			title={tx?.xid ?? xid}
			aside={tx && <Actions tx={tx} onAct={setAct} />}
		>
			{live.error && live.error.code !== 'offline' && (
				<ErrorBox error={live.error} retry={live.refresh} />
			)}
			{live.loading && !tx && <Loading />}
			{tx && (
				<>
					{tx.hung && (
						<div class="notice bad">
							<p>
								<strong>{t('hung.notice')}</strong> {t(`why.${whyOf(tx)}` as Key)}
							</p>
							{tx.last_error && <p class="mono wrap">{tx.last_error}</p>}
						</div>
					)}
					{!tx.hung && tx.last_error && (
						<div class="notice warn">
							<p class="mono wrap">{tx.last_error}</p>
						</div>
					)}
					<Head tx={tx} />
					{tx.run && <RunView run={tx.run} onSkip={tx.hung ? (task) => setAct({ what: 'skip', task }) : undefined} />}
					{tx.kind !== 'saga' && <Branches tx={tx} onAct={setAct} />}
					<TimelineView tx={tx} />
				</>
			)}
			{tx && act && <Dialog act={act} tx={tx} close={close} />}
		</Page>
	);
}

/* Which of the ways out the reader needs. */
export function whyOf(tx: TxDetail): 'dirty' | 'letter' | 'saga' | 'attempts' | 'refused' {
	if (tx.kind === 'saga') return 'saga';
	if (tx.branches.some((b) => differenceOf(b.detail))) return 'dirty';
	if (tx.branches.some((b) => isDead(tx, b))) return 'letter';
	return /RetryTimeout$/.test(tx.status) ? 'attempts' : 'refused';
}
