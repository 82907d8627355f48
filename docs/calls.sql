-- Voice calls: the tables as `colloquy migrate` makes them, for reading and for other tools (a test compares the two).
-- Needed before: schema auth with auth.users, auth.uid() (the user of the transaction, from the setting app.user_id)
-- and auth.is_system() (whether the role is the one of sweeps). The application's role owns nothing of it.

CREATE TYPE public.call_hangup_reason AS ENUM ('user', 'ai', 'timeout', 'silence', 'error');

-- Voice agents; without a user an agent is shared by all.
CREATE TABLE public.agents (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID REFERENCES auth.users(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  type VARCHAR(50) NOT NULL DEFAULT 'voice',
  system_prompt TEXT,
  greeting TEXT,
  config JSONB NOT NULL DEFAULT '{}',
  is_active BOOLEAN NOT NULL DEFAULT true,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_agents_user_id ON public.agents(user_id);

-- Calls. summary_thread_id is the run engine's thread of the call's summaries.
CREATE TABLE public.call_records (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  agent_id UUID NOT NULL REFERENCES public.agents(id),
  caller_name VARCHAR(255),
  caller_phone VARCHAR(50),
  caller_app VARCHAR(50),
  start_time TIMESTAMPTZ NOT NULL,
  end_time TIMESTAMPTZ,
  duration_seconds INTEGER,
  hangup_reason public.call_hangup_reason,
  messages JSONB NOT NULL DEFAULT '[]',
  summary TEXT,
  metadata JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  summary_thread_id UUID
);
CREATE INDEX idx_call_records_user_id ON public.call_records(user_id);
CREATE INDEX idx_call_records_agent_id ON public.call_records(agent_id);
CREATE INDEX idx_call_records_start_time ON public.call_records(start_time DESC);
-- The lists, without and with an agent.
CREATE INDEX idx_call_records_user_start ON public.call_records(user_id, start_time DESC, id DESC);
CREATE INDEX idx_call_records_user_agent_start
  ON public.call_records(user_id, agent_id, start_time DESC, id DESC);
-- The statistics, which read nothing else of a call.
CREATE INDEX idx_call_records_statistics ON public.call_records(user_id, start_time)
  INCLUDE (hangup_reason, duration_seconds, caller_app, agent_id) WHERE hangup_reason IS NOT NULL;
CREATE INDEX idx_call_records_summary_thread ON public.call_records(summary_thread_id)
  WHERE summary_thread_id IS NOT NULL;

-- Which calls are answered, and how.
CREATE TABLE public.call_answer_rules (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  enabled BOOLEAN NOT NULL DEFAULT true,
  priority INTEGER NOT NULL,
  conditions JSONB NOT NULL,
  action JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_call_answer_rules_user_id ON public.call_answer_rules(user_id);
CREATE INDEX idx_call_answer_rules_priority ON public.call_answer_rules(priority);
CREATE INDEX idx_call_answer_rules_user_order ON public.call_answer_rules(user_id, priority, created_at, id);

-- Access to Alibaba's speech services. access_key_secret and token are encrypted: <key id>:<base64>. fetch_id is the
-- process that asks for a token now, until fetch_until; fetches counts those that have ended.
CREATE TABLE public.aliyun_configs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  access_key_id VARCHAR(255) NOT NULL,
  access_key_secret TEXT NOT NULL,
  app_key VARCHAR(255) NOT NULL,
  is_active BOOLEAN NOT NULL DEFAULT true,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  token TEXT,
  token_issued_at TIMESTAMPTZ,
  token_expires_at TIMESTAMPTZ,
  fetch_id UUID,
  fetch_until TIMESTAMPTZ,
  fetch_failure TEXT,
  fetches BIGINT NOT NULL DEFAULT 0,
  CONSTRAINT aliyun_configs_token_whole CHECK (
    (token IS NULL) = (token_expires_at IS NULL) AND (token IS NULL) = (token_issued_at IS NULL))
);
CREATE INDEX idx_aliyun_configs_user_id ON public.aliyun_configs(user_id);
-- One active row a user, and any number of inactive ones.
CREATE UNIQUE INDEX aliyun_configs_one_active ON public.aliyun_configs(user_id) WHERE is_active;

-- Everybody sees and changes one's own rows; FORCE: the tables' owner, too.
ALTER TABLE public.agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agents FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.agents USING ((SELECT auth.uid()) = user_id);
CREATE POLICY shared ON public.agents FOR SELECT USING (user_id IS NULL);
CREATE POLICY system ON public.agents USING ((SELECT auth.is_system()));

-- Foreign keys do not obey row level security: the agent has to be one that the user sees.
ALTER TABLE public.call_records ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.call_records FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.call_records USING ((SELECT auth.uid()) = user_id)
  WITH CHECK ((SELECT auth.uid()) = user_id AND EXISTS (SELECT FROM public.agents AS a WHERE a.id = agent_id));
CREATE POLICY system ON public.call_records USING ((SELECT auth.is_system()));

ALTER TABLE public.call_answer_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.call_answer_rules FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.call_answer_rules USING ((SELECT auth.uid()) = user_id);
CREATE POLICY system ON public.call_answer_rules USING ((SELECT auth.is_system()));

ALTER TABLE public.aliyun_configs ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.aliyun_configs FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON public.aliyun_configs USING ((SELECT auth.uid()) = user_id);
CREATE POLICY system ON public.aliyun_configs USING ((SELECT auth.is_system()));
