-- For databases of the earlier audio service, which kept confidences as text or as narrower numbers until that broke:
-- makes `strategy_analysis.scene_confidence` and `skill_executions.confidence_score` double precision. Colloquy's own
-- tables are so from the beginning.
--
--   psql "$DATABASE_URL" --single-transaction -v ON_ERROR_STOP=1 -f docs/audio-confidence.sql
--
-- Looks at the tables of the search path, and may be run again. A number above 1 is a percentage; a word that means no
-- confidence becomes 0.
DO $$
DECLARE
  one RECORD;
BEGIN
  FOR one IN
    SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns AS c
    WHERE (c.table_name, c.column_name)
        IN (('strategy_analysis', 'scene_confidence'), ('skill_executions', 'confidence_score'))
      AND c.data_type <> 'double precision' AND c.table_schema = ANY(current_schemas(false))
  LOOP
    EXECUTE format('ALTER TABLE %I.%I ALTER COLUMN %I DROP DEFAULT', one.table_schema, one.table_name, one.column_name);
    EXECUTE format($alter$
      ALTER TABLE %1$I.%2$I ALTER COLUMN %3$I TYPE double precision USING CASE
        WHEN %3$I IS NULL THEN NULL
        WHEN trim(%3$I::text) ~ '^[0-9]{1,9}([.][0-9]*)?( *%%)?$|^[.][0-9]+$' THEN least(1.0,
          rtrim(%3$I::text, ' %%')::double precision
            / CASE WHEN %3$I::text LIKE '%%!%%%%' ESCAPE '!' OR rtrim(%3$I::text, ' %%')::double precision > 1
                   THEN 100 ELSE 1 END)
        WHEN lower(trim(%3$I::text)) IN ('high', '高', '较高') THEN 0.85
        WHEN lower(trim(%3$I::text)) IN ('medium', '中', '中等') THEN 0.6
        WHEN lower(trim(%3$I::text)) IN ('low', '低', '较低') THEN 0.3
        ELSE 0.0 END
    $alter$, one.table_schema, one.table_name, one.column_name);
  END LOOP;
END $$;
