-- The notes of each user, as vectors. Safe to run again. Without pgvector it does nothing, and the function says what is missing.
set client_min_messages = warning;
do $$
begin
    create extension if not exists vector;
    perform functions.create_vector_index('ask', 1536, '{"owner_only": true, "read": "authenticated", "write": "authenticated"}');
exception when insufficient_privilege or undefined_file or feature_not_supported then
    raise warning 'The example ask needs pgvector (docs/vectors.md): %', sqlerrm;
end
$$;
