using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;
using Functions.PgSidecar.Tests.EndToEnd.Vectors;

namespace Functions.PgSidecar.Tests.EndToEnd.Embeddings;

/// <summary>Vector indexes that are kept in step with tables, by a model behind real HTTP.</summary>
public sealed class EmbeddingTests(VectorFixture fixture) : IClassFixture<VectorFixture>, IAsyncLifetime
{
    private const string Owner = "11111111-1111-4111-8111-111111111111";

    private ScriptedProvider model = null!;
    private string name = null!;

    private TestDatabase Database => fixture.Sidecar.Database;

    public async ValueTask InitializeAsync()
    {
        fixture.Require();
        model = await ScriptedProvider.StartAsync();
        model.Answer = EmbeddingModel.Answer;
        // Each test has a table, an index, a provider and a model of its own.
        name = $"e{Guid.NewGuid():N}"[..12];
        await Database.ExecuteAsync(
            $$"""
            select functions.set_ai_provider('{{name}}', '{"base_url": "{{model.Url}}/v1", "api_key": "k", "models": ["{{name}}-model"], "retries": 0}');
            select functions.create_vector_index('{{name}}', {{EmbeddingModel.Dimensions}}, '{"model": "{{name}}-model", "read": "authenticated"}');
            create table {{name}} (id int primary key, title text, body text, author text, tenant text, tags jsonb, views int default 0);
            """
        );
    }

    public ValueTask DisposeAsync() => model.DisposeAsync();

    [Fact]
    public async Task Inserted_changed_and_deleted_rows_are_found_by_their_texts()
    {
        await Database.ExecuteAsync(
            $$"""
            insert into {{name}} (id, title, body, author) values (1, 'Pets', 'A cat sleeps.', 'ann'), (2, 'Travel', 'A ship at sea.', 'bob');
            select functions.embed('{{name}}', '{title,body}', '{{name}}', '{"metadata": ["author"]}');
            """
        );
        await InStepAsync(2);
        Assert.Equal("1", await FindAsync("cats"));

        await Database.ExecuteAsync($"insert into {name} (id, title, body, author) values (3, 'Rivers', 'River, river, river.', 'cy')");
        await InStepAsync(3);
        Assert.Equal("3", await FindAsync("a river"));

        await Database.ExecuteAsync($"update {name} set body = 'The wind, the wind' where id = 3; delete from {name} where id = 2");
        await InStepAsync(2);
        Assert.Equal("3", await FindAsync("wind"));
        Assert.Equal(
            $"{name}:1#0 Pets\n\nA cat sleeps. ann|{name}:3#0 Rivers\n\nThe wind, the wind cy",
            await Database.ScalarAsync<string>(
                $"select string_agg(concat_ws(' ', id, document, metadata ->> 'author'), '|' order by id) from functions_vectors.{name}"
            )
        );

        await Database.ExecuteAsync($"truncate {name}; insert into {name} (id, body) values (9, 'dogs eat')");
        await InStepAsync(1);
        Assert.Equal("9", await FindAsync("dog"));
    }

    [Fact]
    public async Task Text_that_is_the_same_is_not_embedded_again()
    {
        await Database.ExecuteAsync(
            $$"""
            insert into {{name}} (id, title, author, tenant) values (1, 'cat', 'ann', 'x'), (2, 'dog', 'bob', 'x');
            select functions.embed('{{name}}', '{title}', '{{name}}', '{"metadata": ["author"], "namespace": "tenant"}');
            """
        );
        await InStepAsync(2);
        var before = model.Requests.Count;

        // Another author and another tenant; a column that is not embedded; the same text again; the embedding itself, as it was.
        await Database.ExecuteAsync(
            $$"""
            update {{name}} set author = 'eve', tenant = 'y' where id = 1;
            update {{name}} set views = 5;
            update {{name}} set title = 'dog' where id = 2;
            select functions.embed('{{name}}', '{title}', '{{name}}', '{"metadata": ["author"], "namespace": "tenant"}');
            """
        );
        await Eventually.HoldsAsync(() =>
            Database.ScalarAsync<bool>(
                $"""
                select (select metadata ->> 'author' = 'eve' and namespace = 'y' from functions_vectors.{name} where metadata -> 'key' = '["1"]')
                   and (select waiting = 0 and backfill = 'done' from functions.embeddings where name = '{name}')
                """
            )
        );
        Assert.Equal(before, model.Requests.Count);

        await Database.ExecuteAsync($"update {name} set title = 'sea' where id = 2");
        await InStepAsync(2);
        Assert.Equal(before + 1, model.Requests.Count);
        Assert.Equal(["sea"], EmbeddingModel.Inputs(model.Requests[^1]));
    }

    [Fact]
    public async Task Another_model_or_size_of_chunks_embeds_the_rows_again()
    {
        var text = string.Join(' ', Enumerable.Range(0, 60).Select(static i => $"sentence{i}."));
        await Database.ExecuteAsync(
            $$"""
            insert into {{name}} (id, body) values (1, '{{text}}'), (2, 'short');
            select functions.embed('{{name}}', '{body}', '{{name}}', '{"chunk_size": 200, "chunk_overlap": 0}');
            """
        );
        await InStepAsync(5);
        Assert.Equal(
            text,
            await Database.ScalarAsync<string>(
                $"""select string_agg(document, ' ' order by (metadata ->> 'chunk')::int) from functions_vectors.{name} where metadata -> 'key' = '["1"]'"""
            )
        );

        await Database.ExecuteAsync($$"""select functions.embed('{{name}}', '{body}', '{{name}}', '{"chunk_size": 2000}')""");
        await InStepAsync(2);

        await Database.ExecuteAsync(
            $$"""
            select functions.set_ai_provider('{{name}}', '{"base_url": "{{model.Url}}/v1", "models": ["{{name}}-model", "{{name}}-next"]}');
            select functions.create_vector_index('{{name}}', {{EmbeddingModel.Dimensions}}, '{"model": "{{name}}-next", "read": "authenticated"}');
            select functions.embed('{{name}}', '{body}', '{{name}}', '{"chunk_size": 2000}');
            """
        );
        await Eventually.HoldsAsync(() => Task.FromResult((string)model.Requests[^1].Body["model"]! == $"{name}-next"));
        await InStepAsync(2);
    }

    [Fact]
    public async Task What_a_model_refuses_is_a_dead_letter_and_the_other_rows_go_on()
    {
        model.Answer = request =>
            EmbeddingModel.Inputs(request).Any(static text => text.Contains("forbidden", StringComparison.Ordinal))
                ? ScriptedAnswer.Failure(400, "This text is not allowed.")
                : EmbeddingModel.Answer(request);
        await Database.ExecuteAsync(
            $$"""
            insert into {{name}} (id, body) select i, case i when 5 then 'forbidden' else 'cat ' || i end from generate_series(1, 9) i;
            select functions.embed('{{name}}', '{body}', '{{name}}', '{"retries": 1, "backoff_ms": 10}');
            """
        );
        await InStepAsync(8);
        Assert.Contains(
            "This text is not allowed.",
            await fixture.Sidecar.EventuallyAsync<string>($"select error_message from functions.dead_letters where function = '{name}'"),
            StringComparison.Ordinal
        );
        Assert.Equal(1L, await Database.ScalarAsync<long>($"select dead_letters from functions.embeddings where name = '{name}'"));

        // A dead letter that is tried again embeds the row as it is now.
        await Database.ExecuteAsync($"update {name} set body = 'dog' where id = 5");
        await InStepAsync(9);
        await Database.ExecuteAsync($"select functions.redrive('{{\"function\": \"{name}\"}}')");
        await InStepAsync(9);
        Assert.Equal("5", await FindAsync("dog"));
    }

    [Fact]
    public async Task Model_that_is_down_delays_the_vectors_and_loses_none()
    {
        var isDown = true;
        model.Answer = request => Volatile.Read(ref isDown) ? ScriptedAnswer.Failure(503, "down") : EmbeddingModel.Answer(request);
        await Database.ExecuteAsync(
            $$"""
            select functions.embed('{{name}}', '{body}', '{{name}}', '{"retries": 100, "backoff_ms": 10, "max_backoff_ms": 100}');
            """
        );
        await Database.ExecuteAsync($"insert into {name} (id, body) select i, 'cat' from generate_series(1, 20) i");
        await Eventually.HoldsAsync(() =>
            Database.ScalarAsync<bool>($"select waiting > 0 and waiting_since is not null from functions.embeddings where name = '{name}'")
        );
        await Eventually.HoldsAsync(() => Task.FromResult(model.Requests.Count > 2));
        Volatile.Write(ref isDown, false);
        await InStepAsync(20);
    }

    [Fact]
    public async Task Vectors_belong_to_the_user_that_the_row_names()
    {
        await Database.ExecuteAsync(
            $$"""
            select functions.create_vector_index('{{name}}', {{EmbeddingModel.Dimensions}},
                '{"model": "{{name}}-model", "read": "authenticated", "owner_only": true}');
            insert into {{name}} (id, body, author) values (1, 'cat', '{{Owner}}'), (2, 'cat', 'somebody');
            select functions.embed('{{name}}', '{body}', '{{name}}', '{"owner": "author"}');
            """
        );
        await InStepAsync(2);
        Assert.Equal("1", await FindAsync("cat", Owner));
        await Database.ExecuteAsync(
            $"update {name} set author = '{Owner}' where id = 2; update {name} set author = 'somebody' where id = 1"
        );
        await Eventually.HoldsAsync(async () => await FindAsync("cat", Owner) == "2");
    }

    [Fact]
    public async Task Function_of_an_embedding_serves_nobody_over_http()
    {
        await Database.ExecuteAsync($$"""select functions.embed('{{name}}', '{body}', '{{name}}')""");
        await Database.ExecuteAsync($"call functions.wait_ready('{name}', timeout => '2 minutes')");
        using var response = await fixture.Sidecar.PostAsync(name, """{"trigger": "database"}""", "service_role");
        Assert.Equal(System.Net.HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Index_without_a_model_is_not_searched_by_a_text()
    {
        await fixture.CreateAsync($"{name}-bare", 2, """{"read": "authenticated"}""");
        Assert.Equal("PGFN5902", await fixture.CodeAsync($"{name}-bare", "V.query('cat')"));
        Assert.Equal("PGFN5902", await fixture.CodeAsync(name, "V.query(' ')"));
    }

    /// <summary>Waits until every change was embedded, and the index has so many vectors.</summary>
    private Task InStepAsync(int vectors) =>
        Eventually.HoldsAsync(() =>
            Database.ScalarAsync<bool>(
                $"""
                select waiting = 0 and backfill is distinct from 'pending' and backfill is distinct from 'running'
                   and (select count(*) = {vectors} from functions_vectors.{name})
                   and not exists (select from {name} t where t.body is distinct from 'forbidden' and not exists (
                       select from functions_vectors.{name} v where v.metadata -> 'key' = jsonb_build_array(t.id::text)
                           and position(v.document in concat_ws(e'\n\n', t.title, t.body)) > 0))
                from functions.embeddings where name = '{name}'
                """
            )
        );

    /// <summary>The keys of the rows that are nearest to a text: those with the best score.</summary>
    private async Task<string> FindAsync(string text, string? subject = null)
    {
        var found = await fixture.RunAsync(
            name,
            $$"""
            const { matches } = await V.query({{JsonValue.Create(text)!.ToJsonString()}}, { returnMetadata: true });
            return [matches.filter((match) => match.score > 0.5).map(({ metadata }) => metadata.key[0])[0] ?? null];
            """,
            subject: subject
        );
        return (string?)found[0] ?? "none";
    }
}
