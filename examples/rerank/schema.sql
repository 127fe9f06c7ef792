-- The articles as vectors and words. Safe to run again. Without pgvector it does nothing, and the function says what is missing.
set client_min_messages = warning;
do $$
begin
    create extension if not exists vector;
    perform functions.create_vector_index('rerank', 1536, '{"text_search": "english", "read": "authenticated", "write": "service_role"}');
exception when insufficient_privilege or undefined_file or feature_not_supported then
    raise warning 'The example rerank needs pgvector (docs/vectors.md): %', sqlerrm;
end
$$;
