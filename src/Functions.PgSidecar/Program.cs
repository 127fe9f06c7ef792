Console.WriteLine("pgfn");
