using System.Diagnostics;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Vectors;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>Texts are found by what they mean, with a real model on this machine. <c>make test-ai</c> runs these tests.</summary>
[Trait("Needs", "Model")]
public sealed class MeaningTests(VectorFixture fixture, MeaningTests.ModelServer model)
    : IClassFixture<VectorFixture>,
        IClassFixture<MeaningTests.ModelServer>
{
    /// <summary>Documents, and questions that have hardly a word in common with them.</summary>
    private static readonly (string Document, string Question)[] Texts =
    [
        ("Reset your password on the page where you sign in", "I can't log in to my account"),
        ("Refunds are paid to the card within five working days", "When do I get my money back?"),
        ("The parcel is handed to the courier the day after the order", "When will my package be shipped?"),
        ("Bake the bread for forty minutes at two hundred degrees", "How long does a loaf stay in the oven?"),
        ("Water the tomatoes in the morning, and never on their leaves", "How do I care for vegetables in the garden?"),
        ("The train to the airport leaves every twenty minutes", "How often can I get to my flight by rail?"),
        ("The cat sleeps on the warm windowsill", "a napping pet"),
        ("Change the oil of the engine every fifteen thousand kilometres", "car maintenance"),
        ("The museum shows paintings of the Dutch golden age", "art by Rembrandt and Vermeer"),
        ("A headache with fever and a stiff neck needs a doctor at once", "symptoms of meningitis"),
        ("The central bank raised interest rates by half a point", "tighter monetary policy"),
        ("The striker scored twice in the last ten minutes of the match", "late goals in football"),
        ("Black holes bend the light of the stars behind them", "gravitational lensing"),
        ("An index makes the query of a large table faster", "speed up a database"),
        ("She plays the violin in an orchestra", "a classical musician"),
        ("Snow has closed the pass over the mountains", "the road through the Alps is blocked in winter"),
        ("The contract may be ended with three months' notice", "how to cancel my agreement"),
        ("Bees carry pollen from one blossom to the next", "insects that fertilise flowers"),
        ("The volcano has covered the village with ash", "an eruption buried houses"),
        ("The children build a castle of sand on the beach", "kids playing at the seaside"),
    ];

    private TestDatabase Database => fixture.Sidecar.Database;

    [Fact]
    public async Task Documents_that_a_function_embeds_are_found_by_questions_in_other_words()
    {
        await CreateAsync("by_function");
        var documents = new JsonArray([.. Texts.Select(static text => JsonValue.Create(text.Document))]).ToJsonString();
        var stored = await fixture.RunAsync(
            "by_function",
            $$"""
            const texts = {{documents}};
            const { shape, data } = await env.AI.run("minilm", { text: texts });
            await V.upsert(texts.map((document, i) => ({ id: String(i), values: data[i], document })));
            return [shape, Math.hypot(...data[0])];
            """
        );
        Assert.Equal("[20,384]", stored[0]!.ToJsonString());
        Assert.Equal(1, (double)stored[1]!, precision: 3);

        Assert.Equal(Enumerable.Range(0, Texts.Length).Select(static i => $"{i}"), await BestAsync("by_function", "match.id"));
    }

    [Fact]
    public async Task Rows_of_a_table_are_found_by_questions_in_other_words()
    {
        await CreateAsync("by_table");
        await Database.ExecuteAsync("create table notes (id int primary key, body text)");
        for (var i = 0; i < Texts.Length; i++)
            await InsertAsync(i, Texts[i].Document);
        await Database.ExecuteAsync("select functions.embed('notes', '{body}', 'by_table')");
        await UntilEmbeddedAsync(Texts.Length);

        // The id of a chunk is notes:KEY#NUMBER.
        var expected = Enumerable.Range(0, Texts.Length).Select(static i => $"{i}");
        Assert.Equal(expected, (await BestAsync("by_table", "match.id")).Select(static id => id.Split(':', '#')[1]));

        await Database.ExecuteAsync("update notes set body = 'The kitten naps in the sun' where id = 3; delete from notes where id = 6");
        await UntilEmbeddedAsync(Texts.Length - 1);
        await Eventually.HoldsAsync(async () => (await BestAsync("by_table", "match.id"))[6].Split(':', '#')[1] == "3");
    }

    private async Task CreateAsync(string index)
    {
        fixture.Require();
        await Database.ExecuteAsync(
            $$"""
            select functions.set_ai_provider('local', '{"base_url": "{{model.Url}}/v1", "models": ["minilm"]}');
            select functions.create_vector_index('{{index}}', 384, '{"model": "minilm", "read": "authenticated", "write": "authenticated"}');
            """
        );
    }

    private async Task InsertAsync(int id, string body)
    {
        await using var insert = Database.Owner.CreateCommand("insert into notes values ($1, $2)");
        insert.Parameters.AddWithValue(id);
        insert.Parameters.AddWithValue(body);
        await insert.ExecuteNonQueryAsync();
    }

    private Task UntilEmbeddedAsync(int rows) =>
        Eventually.HoldsAsync(() =>
            Database.ScalarAsync<bool>(
                $"""
                select (select count(*) = {rows} from functions_vectors.by_table)
                    and not exists (select from functions.embeddings where waiting > 0 or dead_letters > 0)
                """
            )
        );

    /// <summary>What an expression gives for the best match of each question.</summary>
    private async Task<string[]> BestAsync(string index, string expression)
    {
        var questions = new JsonArray([.. Texts.Select(static text => JsonValue.Create(text.Question))]).ToJsonString();
        var best = await fixture.RunAsync(
            index,
            $$"""
            const best = [];
            for (const question of {{questions}}) { const [match] = (await V.query(question, { topK: 1 })).matches; best.push({{expression}}); }
            return best;
            """
        );
        return [.. best.AsArray().Select(static id => (string)id!)];
    }

    /// <summary>The process of tests/EmbeddingServer.</summary>
    public sealed class ModelServer : IAsyncLifetime
    {
        private Process? process;

        /// <summary>Its address.</summary>
        public string Url { get; private set; } = "";

        public async ValueTask InitializeAsync()
        {
            const string Name = "Functions.PgSidecar.Tests.EmbeddingServer";
            var program = Path.Combine(PostgresServer.Root, $"artifacts/bin/{Name}/release/{Name}.dll");
            Assert.True(File.Exists(program), "tests/EmbeddingServer is not built; make test-ai builds it.");
            process = Process.Start(
                new ProcessStartInfo("dotnet", [program]) { RedirectStandardInput = true, RedirectStandardOutput = true }
            )!;
            Url = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2))
                ?? throw new InvalidOperationException("The model's server did not start.");
        }

        public async ValueTask DisposeAsync()
        {
            if (process is null)
                return;
            process.StandardInput.Close();
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }
}
