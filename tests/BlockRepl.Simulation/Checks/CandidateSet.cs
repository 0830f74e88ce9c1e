namespace BlockRepl.Simulation.Checks;

/// <summary>The writes of which a sector may hold the content; immutable and shared between sectors.</summary>
public sealed class CandidateSet
{
    private readonly AppWrite[] _writes;

    public CandidateSet(params AppWrite[] writes) => _writes = writes;

    public IReadOnlyList<AppWrite> Writes => _writes;

    public bool IsCertain => _writes.Length == 1;

    public CandidateSet Add(AppWrite write) => new([.. _writes, write]);

    /// <summary>Without the writes that were done before this one was submitted.</summary>
    public CandidateSet SupersededBy(AppWrite write)
    {
        int left = 0;
        foreach (AppWrite other in _writes)
        {
            left += other.Done < write.Submitted ? 0 : 1;
        }

        return left == _writes.Length ? this : new CandidateSet(Array.FindAll(_writes, w => w.Done >= write.Submitted));
    }

    public bool Contains(AppWrite write) => Array.IndexOf(_writes, write) >= 0;

    /// <summary>Whether a sector's content (as identified) is one of the candidates'.</summary>
    public bool Allows(ulong? content)
    {
        foreach (AppWrite write in _writes)
        {
            bool fits = write.Content switch
            {
                WriteContent.Pattern => content == write.Id,
                WriteContent.Zero => content == 0,
                _ => true,
            };
            if (fits)
            {
                return true;
            }
        }

        return false;
    }

    public bool AllowsAnything => Array.Exists(_writes, w => w.Content == WriteContent.Anything);

    public override string ToString() => "{" + string.Join(", ", _writes.Select(w => w.ToString())) + "}";
}
