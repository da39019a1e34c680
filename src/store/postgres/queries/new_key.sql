-- Drawn outside the transaction's fate: a load that is rolled back leaves a gap.
select nextval('batch_keys')::integer
