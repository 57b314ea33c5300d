/* The frame around every page, and which page is where. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { HelpDialog, PLACES, useKeys } from './help';
import { setLanguage, t, useLanguage } from './i18n';
import { connection } from './lib/api';
import { clock } from './lib/format';
import { useLive } from './lib/live';
import { Link, urlOf, usePlace, type Place } from './lib/router';
import { useStore } from './lib/store';
import { setTheme, theme, type Theme } from './lib/theme';
import type { Stats } from './lib/types';
import { DeadLetters } from './pages/dead-letters';
import { MachineList, MachineShow } from './pages/machines';
import { Overview } from './pages/overview';
import { Topics } from './pages/topics';
import { TxList } from './pages/tx-list';
import { TxShow } from './pages/tx-show';
import { Page } from './ui';

/* Pages that come later take a line here, and one in PLACES. */
function view({ parts, query }: Place) {
	const [page = '', name, ...more] = parts;
	if (more.length > 0) return <Missing />;
	switch (page) {
		case '':
			return <Overview />;
		case 'transactions':
		case 'sagas':
		case 'messages':
			return name ? (
				<TxShow key={`${page} ${name}`} source={page} xid={name} />
			) : (
				<TxList key={page} source={page} query={query} />
			);
		case 'machines':
			return name ? (
				<MachineShow key={name} name={name} version={query.version} />
			) : (
				<MachineList />
			);
		case 'dead-letters':
			return name ? <Missing /> : <DeadLetters query={query} />;
		case 'topics':
			return name ? <Missing /> : <Topics />;
		default:
			return <Missing />;
	}
}

function Missing() {
	return (
		<Page title={t('missing')}>
			<p>
				{t('missing.text')} <Link to={urlOf([])}>{t('menu.overview')}</Link>
			</p>
		</Page>
	);
}

function Offline() {
	const { up, lastAnswer } = useStore(connection);
	if (up) return null;
	return (
		<div class="notice warn offline" role="alert">
			{lastAnswer ? t('offline.since', { at: clock(lastAnswer) }) : t('offline')}
		</div>
	);
}

function Settings({ showHelp }: { showHelp: () => void }) {
	const lang = useLanguage();
	const chosen = useStore(theme);
	return (
		<div class="settings">
			<select
				aria-label={t('theme')}
				value={chosen}
				onChange={(e) => setTheme(e.currentTarget.value as Theme)}
			>
				<option value="system">{t('theme.system')}</option>
				<option value="light">{t('theme.light')}</option>
				<option value="dark">{t('theme.dark')}</option>
			</select>
			<button
				type="button"
				lang={lang === 'en' ? 'zh' : 'en'}
				onClick={() => setLanguage(lang === 'en' ? 'zh' : 'en')}
			>
				{lang === 'en' ? '中文' : 'English'}
			</button>
			<button type="button" aria-label={t('keys')} title={t('keys')} onClick={showHelp}>
				?
			</button>
		</div>
	);
}

function Menu({ page }: { page: string }) {
	return (
		<nav aria-label={t('menu')}>
			{PLACES.map(([, path, label]) => (
				<Link
					to={urlOf(path ? [path] : [])}
					aria-current={page === path ? 'page' : undefined}
				>
					{t(label)}
				</Link>
			))}
		</nav>
	);
}

export function App() {
	const lang = useLanguage();
	const place = usePlace();
	const stats = useLive<Stats>('stats', 10_000);
	const [help, setHelp] = useState(false);
	const showHelp = useCallback(() => setHelp(true), []);
	useKeys(showHelp);
	useEffect(() => {
		document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en';
	}, [lang]);
	return (
		<>
			<a class="skip" href="#main">
				{t('skip')}
			</a>
			<header>
				<Link class="brand" to={urlOf([])}>
					<img src="/favicon.svg" alt="" width="22" height="22" /> Treaty
				</Link>
				<span class="where mono" title={t('coordinator')}>
					{stats.data?.coordinator}
				</span>
				<Settings showHelp={showHelp} />
			</header>
			<Menu page={place.parts[0] ?? ''} />
			<Offline />
			<main id="main" tabIndex={-1}>
				{view(place)}
			</main>
			{help && <HelpDialog onClose={() => setHelp(false)} />}
		</>
	);
}
