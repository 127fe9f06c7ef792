-- The index of what was reported. Safe to run again. Without pgvector it does nothing, and the function says what is missing.
set client_min_messages = warning;
do $$
begin
    create extension if not exists vector;
    perform functions.create_vector_index('pipeline', 1536, '{"read": "authenticated", "write": "service_role"}');
exception when insufficient_privilege or undefined_file or feature_not_supported then
    raise warning 'The example pipeline needs pgvector (docs/vectors.md): %', sqlerrm;
end
$$;
