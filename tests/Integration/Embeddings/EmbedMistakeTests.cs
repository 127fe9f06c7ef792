using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Embeddings;

/// <summary>What <c>functions.embed</c> refuses, and with which words. Skipped without pgvector in the test server.</summary>
public sealed class EmbedMistakeTests : IAsyncLifetime
{
    private TestDatabase database = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        Assert.SkipUnless(
            await database.ScalarAsync<bool>("select exists (select from pg_available_extensions where name = 'vector')"),
            "The test server has no pgvector (scripts/pgvector.sh)."
        );
        await database.ExecuteAsync(
            """
            create extension vector;
            create table articles (id bigint primary key, title text, body text, author text, "user" uuid);
            create table keyless (id bigint, body text);
            create domain even as int check (value % 2 = 0);
            create table other_key (id even primary key, body text);
            create table "Big" (id int primary key, body text);
            select functions.create_vector_index('docs', 3, '{"model": "m"}');
            select functions.create_vector_index('bare', 3);
            select functions.create_vector_index('own', 3, '{"model": "m", "owner_only": true}');
            select functions.deploy('taken', 'export default {}');
            """
        );
    }

    public ValueTask DisposeAsync() => database.DisposeAsync();

    [Theory]
    [InlineData("'articles', '{body}', 'doc'", "There is no vector index named \"doc\"", "Did you mean \"docs\"?")]
    [InlineData("'articles', '{body}', 'bare'", "The vector index \"bare\" has no model.", "functions.create_vector_index('bare', 3")]
    [InlineData(
        "'articles', '{bdy}', 'docs'",
        "The table public.articles has no column \"bdy\".",
        "Its columns: id, title, body, author, \"user\""
    )]
    [InlineData("'articles', '{}', 'docs'", "columns names no column", "'{title,body}'")]
    [InlineData("'articles', null, 'docs'", "columns names no column", "'{title,body}'")]
    [InlineData("'keyless', '{body}', 'docs'", "The table public.keyless has no primary key.", "add primary key")]
    [InlineData("'other_key', '{body}', 'docs'", "The primary key of public.other_key has the column \"id\" of type", "integers")]
    [InlineData("'\"Big\"', '{body}', 'docs'", "\"Big\" is not a name of an embedding", "option name")]
    [InlineData("'articles', '{body}', 'own'", "The vectors of index \"own\" belong to users (owner_only)", "user_id")]
    [InlineData("'articles', '{body}', 'docs', '{\"name\": \"taken\"}'", "There is a function or trigger named \"taken\" already.", "name")]
    [InlineData("'articles', '{body}', 'docs', '{\"chunk\": 500}'", "unknown option", "chunk_size")]
    [InlineData("'articles', '{body}', 'docs', '{\"chunk_size\": 5}'", "option chunk_size must be a whole number from 100 to 20000", "")]
    [InlineData("'articles', '{body}', 'docs', '{\"chunk_overlap\": 1500}'", "option chunk_overlap may be half of chunk_size", "")]
    [InlineData("'articles', '{body}', 'docs', '{\"metadata\": \"none\"}'", "The table public.articles has no column \"none\".", "author")]
    public async Task Mistakes_are_named_with_what_to_do(string arguments, string message, string hint)
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select functions.embed({arguments})"));
        Assert.Contains(message, error.MessageText, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(hint, error.Hint ?? "", StringComparison.Ordinal);
        Assert.Equal(0L, await database.ScalarAsync<long>("select count(*) from functions.embeddings"));
    }

    [Fact]
    public async Task Roles_that_may_write_the_index_are_named_in_a_warning()
    {
        await database.ExecuteAsync("select functions.create_vector_index('open', 3, '{\"model\": \"m\", \"write\": \"authenticated\"}')");
        var notices = new List<string>();
        await using var connection = await database.Owner.OpenConnectionAsync();
        connection.Notice += (_, e) => notices.Add(e.Notice.MessageText);
        foreach (var index in new[] { "open", "docs" })
        {
            await using var command = new NpgsqlCommand($"select functions.embed('articles', '{{title}}', '{index}')", connection);
            await command.ExecuteNonQueryAsync();
        }
        Assert.Equal(
            ["The vector index \"open\" may be written by authenticated, who can put false texts under the ids of rows."],
            notices.Where(text => text.Contains("may be written", StringComparison.Ordinal))
        );
    }

    [Fact]
    public async Task Metadata_cannot_take_the_names_that_find_the_vectors_again()
    {
        await database.ExecuteAsync("create table tagged (id int primary key, body text, source text)");
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("""select functions.embed('tagged', '{body}', 'docs', '{"metadata": ["source"]}')""")
        );
        Assert.Contains("\"source\" is a member that the embedding itself writes", error.MessageText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Definition_follows_renamed_tables_and_columns_and_is_for_the_service_role_only()
    {
        await database.ExecuteAsync(
            """
            select functions.embed('articles', '{title,body}', 'docs', '{"metadata": ["author"], "owner": "user"}');
            alter table articles rename to "Posts";
            alter table "Posts" rename body to "the text";
            """
        );
        Assert.Equal(
            """public."Posts"|id|title, "the text"|author|"user"|m""",
            await database.ScalarAsync<string>(
                """
                select concat_ws('|', d ->> 'table', d #>> '{keys,0,sql}', (select string_agg(t, ', ') from jsonb_array_elements_text(d -> 'texts') t),
                    d #>> '{metadata,0,name}', d ->> 'owner', d ->> 'model')
                from functions.embedding('articles') d
                """
            )
        );
        Assert.True(
            await database.ScalarAsync<bool>(
                """
                select has_function_privilege('service_role', 'functions.embedding(text)', 'execute')
                   and not has_function_privilege('authenticated', 'functions.embedding(text)', 'execute')
                   and not has_function_privilege('service_role', 'functions.embed(regclass, text[], text, jsonb)', 'execute')
                   and not has_function_privilege('service_role', 'functions.drop_embedding(text, boolean)', 'execute')
                """
            )
        );
    }

    [Fact]
    public async Task Index_of_an_embedding_cannot_be_dropped_and_a_dropped_embedding_leaves_nothing_but_its_vectors()
    {
        await database.ExecuteAsync("select functions.embed('articles', '{title}', 'docs')");
        var error = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("select functions.drop_vector_index('docs')"));
        Assert.Contains("by the embeddings articles", error.MessageText, StringComparison.Ordinal);
        await database.ExecuteAsync(
            """
            insert into functions_vectors.docs (id, embedding, metadata)
            values ('articles:1#0', '[1,2,3]', '{"source": "articles", "key": ["1"]}'), ('mine', '[1,2,3]', '{}');
            select functions.drop_embedding('articles', vectors => true);
            """
        );
        Assert.Equal("mine", await database.ScalarAsync<string>("select string_agg(id, ' ') from functions_vectors.docs"));
        Assert.True(
            await database.ScalarAsync<bool>(
                """
                select not exists (select from functions.functions where name = 'articles')
                   and not exists (select from functions.triggers) and not exists (select from functions.embeddings)
                   and not exists (select from functions_private.former_triggers)
                """
            )
        );
        await database.ExecuteAsync("select functions.drop_vector_index('docs')");
    }
}
