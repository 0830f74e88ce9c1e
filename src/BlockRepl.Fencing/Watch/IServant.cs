namespace BlockRepl.Fencing.Watch;

/// <summary>Watches one input for the inquisitor, and reports what it sees to its queue.</summary>
internal interface IServant
{
    /// <summary>What it watches, as it may be printed.</summary>
    string Name { get; }

    /// <summary>Whether a start is not the first one any more.</summary>
    bool HasStarted { get; }

    void Start(bool firstStart);
}
