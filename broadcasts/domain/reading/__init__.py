"""How a written Vietnamese bulletin is read aloud: `reader.read`. Own rules, no library."""
